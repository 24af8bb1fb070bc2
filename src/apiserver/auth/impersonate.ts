// Requests in another's name (`kubectl --as`): who is meant, and whether the one who asks may do so.

import type { Status } from '#api/meta.ts'
import { badRequest } from '#api/status.ts'
import { refusalOf, type Attributes } from '#apiserver/auth/attributes.ts'
import type { Authorizer } from '#apiserver/auth/authorizer.ts'
import type { User } from '#apiserver/kind.ts'

export type Headers = Readonly<Record<string, string | string[] | undefined>>
export type Impersonation =
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'refused'; readonly status: Status }

const valuesOf = (headers: Headers, name: string): string[] =>
  [headers[name] ?? []].flat().flatMap((value) => value.split(', '))

const extraPrefix = 'impersonate-extra-'

function extraOf(headers: Headers): Record<string, string[]> {
  const named = Object.keys(headers).filter((name) => name.startsWith(extraPrefix))
  return Object.fromEntries(named.map((name) => [decoded(name.slice(extraPrefix.length)), valuesOf(headers, name)]))
}

/** Keys are escaped like parts of a path; one that is not so is meant as it stands. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** The user to act as: the one who asks, where no header says otherwise. */
export function impersonate(user: User, headers: Headers, authorizer: Authorizer): Impersonation {
  const [name = ''] = valuesOf(headers, 'impersonate-user')
  const groups = valuesOf(headers, 'impersonate-group')
  const [uid] = valuesOf(headers, 'impersonate-uid')
  const extra = extraOf(headers)
  const extras = Object.entries(extra).flatMap(([key, values]) => values.map((value) => [key, value] as const))
  if (name === '') {
    if (groups.length === 0 && uid === undefined && extras.length === 0) return { kind: 'user', user }
    const why = 'requested impersonation of groups, extra values or a uid without impersonating a user'
    return { kind: 'refused', status: badRequest(why) }
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)
  const asked: Attributes[] = [
    account === null
      ? impersonating(user, 'users', name)
      : { ...impersonating(user, 'serviceaccounts', account[2]!), namespace: account[1]! },
    ...groups.map((group) => impersonating(user, 'groups', group)),
    ...(uid === undefined ? [] : [{ ...impersonating(user, 'uids', uid), group: 'authentication.k8s.io' }]),
    ...extras.map(([key, value]) => ({
      ...impersonating(user, 'userextras', value),
      group: 'authentication.k8s.io',
      subresource: key,
    })),
  ]
  for (const attributes of asked) {
    const { allowed, reason } = authorizer.decide(attributes)
    if (!allowed) return { kind: 'refused', status: refusalOf(attributes, reason) }
  }
  const own = account === null ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
  const all = groups.length > 0 ? groups : own
  const everyone = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'
  const whole = all.includes(everyone) ? all : [...all, everyone]
  return {
    kind: 'user',
    user: { name, groups: whole, ...(uid === undefined ? {} : { uid }), ...(extras.length === 0 ? {} : { extra }) },
  }
}

type ResourceAttributes = Extract<Attributes, { kind: 'resource' }>

const impersonating = (user: User, resource: string, name: string): ResourceAttributes => ({
  kind: 'resource',
  user,
  verb: 'impersonate',
  group: '',
  version: 'v1',
  resource,
  subresource: '',
  namespace: '',
  name,
  fields: [],
})
