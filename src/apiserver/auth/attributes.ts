// What an authorizer is asked, and its refusal in Kubernetes' words.

import { type FieldRequirements, parseFieldSelector } from '#api/field-selector.ts'
import { forbidden } from '#api/status.ts'
import type { Status } from '#api/meta.ts'
import type { Target } from '#apiserver/http/target.ts'
import type { User } from '#apiserver/kind.ts'

export type Attributes = { readonly user: User } & (
  | {
      readonly kind: 'resource'
      readonly verb: string
      readonly group: string
      readonly version: string
      readonly resource: string
      readonly subresource: string
      readonly namespace: string
      readonly name: string
      /** of a list, a watch or a deletecollection: what its field selector demands */
      readonly fields: FieldRequirements
    }
  | { readonly kind: 'path'; readonly verb: string; readonly path: string }
)

export type Decision = {
  readonly allowed: boolean
  /** why, for reviews and logs */
  readonly reason: string
}

export function attributesOf(user: User, target: Target, query: URLSearchParams): Attributes {
  if (target.kind === 'other') return { kind: 'path', user, verb: target.verb, path: target.path }
  const { verb, group, version, plural, subresource, namespace, name } = target
  const fields = selectedFields(query.get('fieldSelector'))
  return { kind: 'resource', user, verb, group, version, resource: plural, subresource, namespace, name, fields }
}

/** A selector that makes no sense is refused later; here it demands nothing. */
function selectedFields(text: string | null): FieldRequirements {
  if (text === null || text === '') return []
  const parsed = parseFieldSelector(text)
  return parsed.kind === 'ok' ? parsed.value : []
}

/** `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"` */
export function refusalOf(attributes: Attributes, reason = ''): Status {
  const who = `User ${JSON.stringify(attributes.user.name)} cannot`
  const why = reason === '' ? '' : `: ${reason}`
  if (attributes.kind === 'path')
    return forbidden(undefined, '', `${who} ${attributes.verb} path ${JSON.stringify(attributes.path)}${why}`)
  const { verb, group, resource, subresource, namespace, name } = attributes
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  return forbidden(
    { group, plural: resource },
    name,
    `${who} ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${why}`,
  )
}
