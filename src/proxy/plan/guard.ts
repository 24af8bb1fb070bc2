// What a Service must not take from the node: an external address that is the node's own (its kubelet, its sshd would no
// longer be reached there), a NodePort that a process of the node listens on.
import type { ListeningSocket } from '#kernel/dump/sockets.ts'
import { type Ip, isLoopback } from '#lib/ip.ts'
import type { Front } from '#proxy/plan/plan.ts'
import type { Family, Protocol } from '#proxy/state.ts'

/** Why a front is not to be programmed; undefined: it may be. */
export type Guard = (front: Front, protocol: Protocol, port: number) => Withheld | undefined

export const withheldReasons = ['own-address', 'peer-address', 'listening'] as const
export type WithheldReason = (typeof withheldReasons)[number]

export type Withheld = {
  readonly front: Front
  readonly protocol: Protocol
  readonly why: WithheldReason
}

export type GuardedNode = {
  readonly family: Family
  /** by which others reach the node: the Node's own */
  readonly nodeIps: readonly Ip[]
  /** of other nodes, where a Service takes an address with all of its ports */
  readonly peerIps: readonly Ip[]
  /** on which NodePorts answer */
  readonly nodePortIps: 'all' | readonly Ip[]
  /** NodePorts answer on 127.0.0.1 too */
  readonly localhostNodePorts: boolean
  /** Asked only where a NodePort is new. */
  listening(): readonly ListeningSocket[]
}

export const noGuard: Guard = () => undefined

/** `isProgrammed`: who came first stays, whatever listens there later. */
export function guardOf(node: GuardedNode, isProgrammed: (front: Front, protocol: Protocol) => boolean): Guard {
  return (front, protocol) => {
    if (front.kind !== 'node-port') {
      if (node.nodeIps.includes(front.address)) return { front, protocol, why: 'own-address' }
      return node.peerIps.includes(front.address) ? { front, protocol, why: 'peer-address' } : undefined
    }
    if (isProgrammed(front, protocol)) return undefined
    const isTaken = node.listening().some((socket) => takes(socket, front.port, protocol, node))
    return isTaken ? { front, protocol, why: 'listening' } : undefined
  }
}

function takes(
  { protocol, port, ip, families }: ListeningSocket,
  nodePort: number,
  wanted: Protocol,
  { family, nodePortIps, localhostNodePorts }: GuardedNode,
): boolean {
  if (protocol !== wanted || port !== nodePort || !families.includes(family)) return false
  if (ip === undefined) return true
  if (isLoopback(ip)) return localhostNodePorts
  return nodePortIps === 'all' || nodePortIps.includes(ip)
}

/** `node port 30080/tcp`, `external IP 10.168.0.2` */
export const frontName = (front: Front, protocol: Protocol): string =>
  front.kind === 'node-port'
    ? `node port ${front.port}/${protocol}`
    : `${front.kind === 'external-ip' ? 'external IP' : 'load balancer IP'} ${front.address}`

const reasons: Readonly<Record<WithheldReason, string>> = {
  'own-address': "it is the node's own address",
  'peer-address': "it is another node's address, which could not be reached from here any more",
  listening: 'a process of the node listens there',
}

export const withheldText = ({ front, protocol, why }: Withheld, node: string): string =>
  `${frontName(front, protocol)} is not programmed on node ${node}: ${reasons[why]} (--allow-node-capture programs it all the same)`
