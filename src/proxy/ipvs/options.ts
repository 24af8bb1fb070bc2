// What the picture of one address family depends on besides the plans.
import type { Ip } from '#lib/ip.ts'
import type { LocalDetector } from '#proxy/local-detector.ts'
import type { Family } from '#proxy/state.ts'

export const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'] as const
export type Scheduler = (typeof schedulers)[number]

export type IpvsOptions = {
  readonly family: Family
  readonly scheduler: Scheduler
  /** the bit that marks packets for masquerading: 0x4000 */
  readonly masqueradeMark: number
  readonly masqueradeAll: boolean
  readonly local: LocalDetector
  /** the node's addresses that NodePorts answer on; never 127.0.0.0/8 */
  readonly nodePortIps: readonly Ip[]
  /** addresses that the machine has on other links: they are not given to kube-ipvs0 */
  readonly ownIps: readonly Ip[]
  /** virtual servers in these CIDRs are someone else's */
  readonly excludeCidrs: readonly string[]
}

/** The link that has the addresses of all Services. */
export const dummyLink = 'kube-ipvs0'
