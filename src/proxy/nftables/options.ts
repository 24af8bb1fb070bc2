// What the table of one address family depends on besides the plans.
import type { Ip } from '#lib/ip.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { Family } from '#proxy/state.ts'

export type NftablesOptions = {
  readonly family: Family
  /** the bit that marks packets for masquerading: 0x4000 */
  readonly masqueradeMark: number
  /** masquerade whatever goes to a cluster IP */
  readonly masqueradeAll: boolean
  readonly local: LocalDetector
  /** the node's addresses that NodePorts answer on, never those of the loopback interface */
  readonly nodePortIps: 'all' | readonly Ip[]
  /** ranges of cluster IPs: what goes to one that no Service has is dropped */
  readonly serviceCidrs: readonly string[]
}

/** The name of the table, in `ip` and in `ip6`. Nobody else's rules are in it, and ours are nowhere else. */
export const tableName = 'fairway-proxy'
