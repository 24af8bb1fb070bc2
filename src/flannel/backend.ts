// What a back end is: it says what the others must know of us, and plans what the kernel shall have so that packets
// reach the pods of the others. All of it is pure; network.ts makes it so. A new back end is one file in backend/ and its
// line in backends.ts.

import type { ExternalAddress } from '#flannel/external-interface.ts'
import type { Family, Peer } from '#flannel/lease.ts'

/** Ourselves in one family. */
export type Self = ExternalAddress & {
  readonly family: Family
  readonly node: string
  readonly subnet: string
  /** of all pods */
  readonly network: string
  /** the external interface */
  readonly link: string
  /** of the external interface, or as configured */
  readonly mtu: number
  /** a tunnel may leave checksums to whoever comes after it: checksum.ts */
  readonly checksumOffload: boolean
}

export type Backend = {
  /** as in net-conf.json and the annotation: 'host-gw', 'vxlan', 'udp' */
  readonly type: string
  /** bytes that it adds to each packet between nodes */
  overhead(family: Family): number
  /** why it cannot work here; undefined: it can */
  refuse(self: Self): string | undefined
  /** what the others must know, as the JSON text of the backend-data annotation */
  announce(self: Pick<Self, 'node' | 'family'>): string
  /** Every range of `peers` is in the network and overlaps no other. */
  plan(self: Self, peers: readonly Peer[]): FamilyPlan
}

/** What the kernel shall have in one family. */
export type FamilyPlan = {
  readonly family: Family
  readonly device?: Device
  /** the device's packets are carried by ourselves */
  readonly tunnel?: Tunnel
  readonly routes: readonly PlannedRoute[]
  /** on the device */
  readonly neighbours: readonly { readonly ip: string; readonly mac: string }[]
  readonly forwarding: readonly { readonly mac: string; readonly destination: string }[]
  readonly problems: readonly Problem[]
}

/** A link of the back end's own. Nothing else may use it: all its routes, neighbours and entries are ours. */
export type Device = VxlanDevice | TunDevice

type DeviceBasics = {
  readonly name: string
  readonly mtu: number
  /** `10.244.1.0/32`: the source of what the node itself sends to pods */
  readonly address: string
}
export type TunDevice = DeviceBasics & { readonly kind: 'tun' }
export type VxlanDevice = DeviceBasics & {
  readonly kind: 'vxlan'
  readonly checksumOffload: boolean
  readonly id: number
  readonly port: number
  readonly learning: boolean
  /** name and address of the interface that carries it */
  readonly below: string
  readonly local: string
  readonly mac: string
}

/** How packets of a TUN device travel: in UDP from `local` to the peers, all on the same port. */
export type Tunnel = {
  readonly local: string
  readonly port: number
  /** our own range */
  readonly subnet: string
  readonly peers: readonly TunnelPeer[]
}
export type TunnelPeer = { readonly subnet: string; readonly publicIp: string }

export type PlannedRoute = {
  readonly destination: string
  /** without one the destination is on the link itself */
  readonly via?: string
  readonly link: string
  /** the next hop is on the link although no address says so */
  readonly onlink: boolean
}

/** Why a peer gets nothing. */
export type Problem = {
  readonly code: 'NotOnLink' | 'Overlap' | 'OutsideNetwork' | 'OtherBackend' | 'BadData'
  readonly node: string
  readonly message: string
}
