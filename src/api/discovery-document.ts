// What a server serves, as clients ask for it: the documents of /api and /apis, in the old form (one for each group and
// version) and in the aggregated one (everything at once, apidiscovery.k8s.io).

import type { Node } from '#api/custom/schema-node.ts'

/** One resource as discovery shows it. */
export type Discovered = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly string[]
  readonly subresources: readonly DiscoveredSubresource[]
  /** of a custom resource: what its definition says of it */
  readonly custom?: { readonly schema: Node | undefined; readonly listKind: string }
}
export type DiscoveredSubresource = {
  readonly name: string
  /** what it takes and answers: its own kind (Scale, Eviction), or that of the resource */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: readonly string[]
}

const groupVersion = (group: string, version: string) => (group === '' ? version : `${group}/${version}`)

/** Groups in the order in which they were named, each with its versions, the preferred one first. */
export function groupsOf(resources: readonly Discovered[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const { group, version } of resources) {
    const versions = groups.get(group) ?? []
    if (!versions.includes(version)) versions.push(version)
    groups.set(group, versions)
  }
  return groups
}

/** `/api` */
export function apiVersions(resources: readonly Discovered[], serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: groupsOf(resources).get('') ?? [],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** `/apis` */
export function apiGroupList(resources: readonly Discovered[]): object {
  const groups = [...groupsOf(resources)].filter(([group]) => group !== '')
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([group, versions]) => apiGroup(group, versions)),
  }
}

/** `/apis/GROUP`; undefined: not served */
export function apiGroupDocument(resources: readonly Discovered[], group: string): object | undefined {
  const versions = groupsOf(resources).get(group)
  return versions === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) }
}

function apiGroup(group: string, versions: readonly string[]) {
  const named = versions.map((version) => ({ groupVersion: groupVersion(group, version), version }))
  return { name: group, versions: named, preferredVersion: named[0] }
}

/** `/api/v1`, `/apis/GROUP/VERSION`; undefined: not served */
export function apiResourceList(resources: readonly Discovered[], group: string, version: string): object | undefined {
  const own = resources.filter((resource) => resource.group === group && resource.version === version)
  if (own.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersion(group, version),
    resources: own.flatMap((resource) => [apiResource(resource), ...subresources(resource)]),
  }
}

function apiResource({ plural, singular, namespaced, kind, verbs, shortNames, categories }: Discovered) {
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: [...verbs].sort(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  }
}

function subresources({ group, version, plural, namespaced, subresources }: Discovered) {
  return subresources.map((subresource) => {
    const isOther = subresource.group !== group || subresource.version !== version
    return {
      name: `${plural}/${subresource.name}`,
      singularName: '',
      namespaced,
      ...(isOther ? { group: subresource.group, version: subresource.version } : {}),
      kind: subresource.kind,
      verbs: [...subresource.verbs].sort(),
    }
  })
}

/** `/api` (`legacy`) or `/apis` in one document. */
export function aggregatedDiscovery(
  resources: readonly Discovered[],
  legacy: boolean,
  version: 'v2' | 'v2beta1',
): object {
  const groups = [...groupsOf(resources)].filter(([group]) => (group === '') === legacy)
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { name: group },
      versions: versions.map((served) => ({
        version: served,
        resources: resources
          .filter((resource) => resource.group === group && resource.version === served)
          .map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  }
}

function aggregatedResource(resource: Discovered) {
  const { group, version, plural, kind, namespaced, singular, verbs, shortNames, categories } = resource
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: [...verbs].sort(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: { group: subresource.group, version: subresource.version, kind: subresource.kind },
            verbs: [...subresource.verbs].sort(),
          })),
        }),
  }
}

const listType =
  /^application\/json;(?=.*\bg=apidiscovery\.k8s\.io\b)(?=.*\bas=APIGroupDiscoveryList\b).*\bv=(v2beta1|v2)\b/

/** Whether an Accept header asks for the aggregated form before the old one, and in which version. */
export function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const clause of (accept ?? '').split(',')) {
    const asked = clause.trim().replaceAll(/;\s+/g, ';')
    const version = listType.exec(asked)?.[1]
    if (version !== undefined) return version as 'v2' | 'v2beta1'
    if (/^(application\/json|\*\/\*)$/.test(asked)) return undefined
  }
  return undefined
}

/** What the server must call the aggregated form, or the client takes it for the old one. */
export const aggregatedContentType = (version: 'v2' | 'v2beta1'): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
