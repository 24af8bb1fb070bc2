// What flannel is told; cli/process/flannel.ts makes it of flags.

import type { Client } from '#client/client.ts'
import type { Address } from '#daemon/flags.ts'
import { defaultPrefix } from '#flannel/annotations.ts'
import type { OffloadSetting } from '#flannel/checksum.ts'
import type { EtcdLeasesOptions } from '#flannel/etcd-leases.ts'
import type { Family } from '#flannel/lease.ts'
import type { NetworkConfig } from '#flannel/network-config.ts'

/** Who keeps the leases. */
export type Keeper =
  | { readonly kind: 'kubernetes'; readonly client: Client }
  | ({ readonly kind: 'etcd' } & Pick<EtcdLeasesOptions, 'client' | 'prefix' | 'pools' | 'previous' | 'renewMarginMs'>)

export type FlannelOptions = {
  readonly keeper: Keeper
  readonly nodeName: string
  readonly config: NetworkConfig
  readonly annotationPrefix: string
  /** which interface leads to the other nodes: names, addresses, patterns; none: that of the default route */
  readonly interfaces: readonly string[]
  readonly interfacePatterns: readonly string[]
  /** told to the others instead of the interface's own address */
  readonly publicIps: { readonly [F in Family]?: string }
  /** the interface is the one by which this address is reached */
  readonly canReach: string | undefined
  /** of vxlan: who sums the outer header */
  readonly checksumOffload: OffloadSetting
  /** packets to addresses of our own range that no pod has go nowhere, instead of out again */
  readonly blackholeRoute: boolean
  readonly masquerade: boolean
  readonly randomFully: boolean
  readonly forwardRules: boolean
  /** ranges of other networks on the same nodes, whose pods and ours shall not reach each other */
  readonly isolateFrom: readonly string[]
  /** how often the rules are looked after */
  readonly rulesResyncMs: number
  /** subnet.env; what flannel remembers lies beside it */
  readonly subnetFile: string
  /** where to write a configuration for the standard CNI plugins */
  readonly cniConfFile: string | undefined
  readonly setNetworkUnavailable: boolean
  /** /healthz, /readyz, /metrics */
  readonly health: Address | undefined
  /** path of a pinned network namespace; undefined: the one of this process */
  readonly netns: string | undefined
}

export const defaultOptions: Omit<FlannelOptions, 'keeper' | 'nodeName' | 'config'> = {
  annotationPrefix: defaultPrefix,
  interfaces: [],
  interfacePatterns: [],
  publicIps: {},
  canReach: undefined,
  checksumOffload: 'auto',
  blackholeRoute: false,
  masquerade: true,
  randomFully: true,
  forwardRules: true,
  isolateFrom: [],
  rulesResyncMs: 5000,
  subnetFile: '/run/flannel/subnet.env',
  cniConfFile: undefined,
  setNetworkUnavailable: true,
  health: { host: '0.0.0.0', port: 8471 },
  netns: undefined,
}
