// What the rules of one address family depend on besides the plan.
import type { Ip } from '#lib/ip.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { Family } from '#proxy/state.ts'

export type RenderOptions = {
  readonly family: Family
  /** the bit that marks packets for masquerading: 0x4000 */
  readonly masqueradeMark: number
  /** masquerade whatever goes to a cluster IP */
  readonly masqueradeAll: boolean
  readonly local: LocalDetector
  /** IPv4 only: NodePorts answer on 127.0.0.1 too */
  readonly localhostNodePorts: boolean
  /** the node's addresses that NodePorts answer on */
  readonly nodePortIps: 'all' | readonly Ip[]
  /** iptables knows `--random-fully` */
  readonly randomFully: boolean
  /** the kernel has been told not to drop out-of-window packets as INVALID, so neither do we */
  readonly conntrackLiberal: boolean
  /** the kernel's named counters that exist, for the metrics of dropped and of localhost packets */
  readonly counters: boolean
  /** more than 1,000 endpoints: rules of endpoints go without comments */
  readonly large: boolean
}

/** Above this number of endpoints, ready or not, the layout of a large cluster is used. */
export const largeClusterEndpoints = 1000

export const invalidDroppedCounter = 'ct_state_invalid_dropped_pkts'
export const localhostAcceptedCounter = 'localhost_nps_accepted_pkts'
