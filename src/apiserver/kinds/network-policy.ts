// NetworkPolicies.

import type { Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { networkPolicies, type NetworkPolicy } from '#api/networking.ts'
import { defaultNetworkPolicy, validateNetworkPolicy } from '#api/policy/network-policy.ts'
import { formatLabelSelector } from '#api/selector.ts'

export const networkPolicyKind: Kind<NetworkPolicy> = {
  resource: networkPolicies,
  type: 'networking.NetworkPolicy',
  singular: 'networkpolicy',
  shortNames: ['netpol'],
  columns: [nameColumn, text('Pod-Selector'), ageColumn],
  row: (policy, nowMs) => [nameOf(policy), formatLabelSelector(policy.spec?.podSelector), age(policy, nowMs)],
  default: defaultNetworkPolicy,
  validate: validateNetworkPolicy,
  generation: 'spec',
}
