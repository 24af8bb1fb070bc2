// Whether a request is allowed, by the roles of its user.

import type { Attributes, Decision } from '#apiserver/auth/attributes.ts'
import { roles as defaultRoles, type Role } from '#apiserver/auth/roles.ts'
import { allows, type Rule } from '#apiserver/auth/rules.ts'
import type { User } from '#apiserver/kind.ts'

/** Answers requests and reviews alike. */
export interface Authorizer {
  decide(attributes: Attributes): Decision
  /** what the user may do, for SelfSubjectRulesReview */
  rulesOf(user: User, namespace: string): readonly Rule[]
}

export function roleAuthorizer(roles: readonly Role[] = defaultRoles): Authorizer {
  const rolesOf = (user: User) =>
    roles.filter(
      ({ users = [], groups = [] }) => users.includes(user.name) || user.groups.some((group) => groups.includes(group)),
    )
  return {
    decide(attributes) {
      for (const role of rolesOf(attributes.user))
        if (role.rules.some((rule) => allows(rule, attributes)))
          return { allowed: true, reason: `allowed by role ${JSON.stringify(role.name)}` }
      return { allowed: false, reason: '' }
    },
    rulesOf: (user) => rolesOf(user).flatMap(({ rules }) => rules),
  }
}
