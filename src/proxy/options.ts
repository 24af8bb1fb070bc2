// What the proxy can be told. Names and defaults are those of kube-proxy's flags.
import type { Client } from '#client/client.ts'
import type { Address } from '#daemon/flags.ts'
import type { Ip } from '#lib/ip.ts'
import type { Scheduler } from '#proxy/ipvs/options.ts'
import type { IpvsSettings } from '#proxy/ipvs/settings.ts'
import type { ConntrackSettings } from '#proxy/kernel-settings.ts'

export const proxyModes = ['nftables', 'iptables', 'ipvs'] as const
export type ProxyMode = (typeof proxyModes)[number]

export const detectLocalModes = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const
export type DetectLocalMode = (typeof detectLocalModes)[number]

export type ProxyOptions = {
  readonly client: Client
  readonly nodeName: string
  readonly mode: ProxyMode
  /** in which form iptables is used; default as the machine does */
  readonly iptablesBackend?: 'nft' | 'legacy' | undefined
  readonly detectLocalMode: DetectLocalMode
  /** one for each address family at most */
  readonly clusterCidrs: readonly string[]
  readonly podBridgeInterface?: string | undefined
  readonly podInterfaceNamePrefix?: string | undefined
  readonly masqueradeAll: boolean
  readonly masqueradeBit: number
  readonly localhostNodePorts: boolean
  /** CIDRs, or the single word `primary`; empty: all addresses of the node (iptables), the Node's own (nftables) */
  readonly nodePortAddresses: readonly string[]
  /** also fronts that take an address or a listening port from the node */
  readonly allowNodeCapture: boolean
  /** takes the place of the Node's own address */
  readonly nodeIp?: Ip | undefined
  readonly healthz: Address | undefined
  readonly metrics: Address | undefined
  /** a port of these that is taken ends the proxy; else it is tried again */
  readonly bindAddressHardFail: boolean
  /** how willing the kernel is to end this process when memory is short: -1000 to 1000; undefined: as it is */
  readonly oomScoreAdj?: number | undefined
  /** a change that waits twice as long makes the proxy unhealthy */
  readonly syncPeriodMs: number
  readonly conntrack: ConntrackSettings
  /** with mode `ipvs` */
  readonly ipvs: IpvsSettings & {
    readonly scheduler: Scheduler
    /** virtual servers in these CIDRs are left alone */
    readonly excludeCidrs: readonly string[]
  }
}

/** kube-proxy's defaults but for the mode (docs/decisions/007), for who composes a process of several parts. */
export const proxyDefaults = {
  mode: 'nftables',
  detectLocalMode: 'ClusterCIDR',
  clusterCidrs: [],
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: true,
  nodePortAddresses: [],
  allowNodeCapture: false,
  healthz: { host: '0.0.0.0', port: 10256 },
  metrics: { host: '127.0.0.1', port: 10249 },
  bindAddressHardFail: false,
  syncPeriodMs: 30_000,
  conntrack: {
    maxPerCore: 32 * 1024,
    min: 128 * 1024,
    tcpEstablishedSeconds: 86_400,
    tcpCloseWaitSeconds: 3600,
    udpSeconds: 0,
    udpStreamSeconds: 0,
    tcpBeLiberal: false,
  },
  ipvs: { scheduler: 'rr', excludeCidrs: [], strictArp: false, timeouts: { tcp: 0, tcpFin: 0, udp: 0 } },
} as const satisfies Omit<ProxyOptions, 'client' | 'nodeName'>
