// Whether a request is allowed: a list of those who may say so, asked in order.

import type { Attributes, Decision } from '#apiserver/auth/attributes.ts'
import type { PolicyRule } from '#api/rbac.ts'
import type { User } from '#apiserver/kind.ts'

/** Answers requests and reviews alike. */
export interface Authorizer {
  /** Not allowed means "I do not allow it"; another may. */
  decide(attributes: Attributes): Decision
  /** What the user may do, for SelfSubjectRulesReview; `problem` says why that is not all. */
  rulesOf(user: User, namespace: string): { readonly rules: readonly PolicyRule[]; readonly problem: string }
}

/** May do everything, whatever the roles are. */
export const isPrivileged = ({ groups }: User): boolean => groups.includes('system:masters')

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]
const privileged: Authorizer = {
  decide: ({ user }) => ({ allowed: isPrivileged(user), reason: '' }),
  rulesOf: (user) => ({ rules: isPrivileged(user) ? everything : [], problem: '' }),
}

/** system:masters may do anything; others what one of these allows. */
export function unionOf(authorizers: readonly Authorizer[]): Authorizer {
  const all = [privileged, ...authorizers]
  return {
    decide(attributes) {
      const reasons: string[] = []
      for (const authorizer of all) {
        const decision = authorizer.decide(attributes)
        if (decision.allowed) return decision
        if (decision.reason !== '') reasons.push(decision.reason)
      }
      return { allowed: false, reason: reasons.join('\n') }
    },
    rulesOf(user, namespace) {
      const each = all.map((authorizer) => authorizer.rulesOf(user, namespace))
      return {
        rules: each.flatMap(({ rules }) => rules),
        problem: each
          .map(({ problem }) => problem)
          .filter((problem) => problem !== '')
          .join(', '),
      }
    },
  }
}
