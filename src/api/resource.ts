/** Where a kind of object lives in the API. `T` is the object's type, for callers; nothing of it exists at run time. */
export type Resource<T = unknown> = {
  /** '' for the legacy group */
  readonly group: string
  readonly version: string
  /** lower-case plural, as in URLs */
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  /** carries T; never set */
  readonly of?: T
}

/** `v1` or `group/version`, as objects name it. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** The URL path of a resource, of one namespace of it, or of one object and subresource. */
export function pathOf(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const inNamespace = resource.namespaced && namespace ? `${root}/namespaces/${encodeURIComponent(namespace)}` : root
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${inNamespace}/${resource.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`
}
