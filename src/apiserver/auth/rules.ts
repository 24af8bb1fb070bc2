// Rules as in a Role of RBAC, and whether they allow a request. The rules stand in roles.ts; a later authorizer takes
// them from objects instead.

import type { Attributes } from '#apiserver/auth/attributes.ts'

export type Rule = {
  readonly verbs: readonly string[]
  readonly groups?: readonly string[]
  /** `pods`, `pods/status`, `*`, `*` + `/scale` */
  readonly resources?: readonly string[]
  readonly names?: readonly string[]
  /** `/healthz`, `/openapi/*` */
  readonly paths?: readonly string[]
}

export function allows(rule: Rule, attributes: Attributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false
  if (attributes.kind === 'path') return rule.paths?.some((path) => matchesPath(path, attributes.path)) ?? false
  const { group, resource, subresource, name } = attributes
  if (!hasOrAll(rule.groups ?? [], group)) return false
  if (rule.names !== undefined && !rule.names.includes(name)) return false
  const whole = subresource === '' ? resource : `${resource}/${subresource}`
  const resources = rule.resources ?? []
  return hasOrAll(resources, whole) || (subresource !== '' && resources.includes(`*/${subresource}`))
}

const hasOrAll = (values: readonly string[], value: string) => values.includes('*') || values.includes(value)

const matchesPath = (pattern: string, path: string) =>
  pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))
