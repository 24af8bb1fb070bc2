// effect: packet sockets, time
// Answers for addresses on one interface, and tells the neighbours that this node is there. While there is no address
// to answer for nothing is sent.

import {
  decodeArpRequest,
  decodeHeartbeat,
  decodeSolicitation,
  encodeAdvertisement,
  encodeArpAnnouncement,
  encodeArpReply,
  encodeHeartbeat,
  encodeNeighbourAnnouncement,
  etherTypes,
  solicitationFilter,
} from '#balancer/announce/frame.ts'
import { type Decision, Election, heartbeatMs } from '#balancer/announce/election.ts'
import type { Candidacy } from '#balancer/announce/plan.ts'
import type { Clock } from '#daemon/clock.ts'
import type { Logger } from '#daemon/log.ts'
import { openPacketSocket, type PacketSocket } from '#kernel/packet-socket.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

/** A taken over address is announced at once and then after these times, since frames may be lost. */
const announceAgainMs = [100, 1000]

export type AnnouncerOptions = {
  readonly node: string
  readonly group: number
  readonly link: number
  readonly mac: Uint8Array
  readonly netns?: string | undefined
  readonly clock: Clock
  readonly log: Logger
  /** told of every change: the addresses that this node answers for */
  onOwned?(ips: ReadonlySet<string>): void
  /** the interface is gone */
  onEnd(code: string | undefined): void
}

export type Announcer = Disposable & {
  /** Takes the place of what was wanted before. */
  want(candidacies: readonly Candidacy[]): void
  readonly owned: ReadonlySet<string>
}

export function startAnnouncer(options: AnnouncerOptions): Announcer {
  const { node, group, link, mac, netns, clock, log } = options
  const election = new Election(node)
  let cancelBeat: (() => void) | undefined
  const cancels = new Set<() => void>()
  let isOver = false
  const onEnd = (code: string | undefined) => {
    if (!isOver) options.onEnd(code)
  }
  const open = (etherType: number, onFrame: (frame: Uint8Array) => void, filter?: typeof solicitationFilter) =>
    openPacketSocket({ link, etherType, netns, onFrame, onEnd, ...(filter && { filter }) })

  const arp = open(etherTypes.arp, (frame) => {
    const asked = decodeArpRequest(frame)
    if (asked && election.owned.has(formatIp(asked.ip))) trySend(arp, encodeArpReply(asked, mac))
  })
  const ndp = open(
    etherTypes.ipv6,
    (frame) => {
      const asked = decodeSolicitation(frame)
      if (asked && election.owned.has(formatIp(asked.ip))) trySend(ndp, encodeAdvertisement(asked, mac))
    },
    solicitationFilter,
  )
  const beats = open(etherTypes.heartbeat, (frame) => {
    const beat = decodeHeartbeat(frame)
    if (beat === undefined || beat.group !== group || beat.node === node) return
    if (beat.isLeaving) {
      election.bidFarewell(beat.node)
      return follow(election.decide(clock.monotonicMs()))
    }
    if (!election.hear(beat.node, clock.monotonicMs())) return
    follow(election.decide(clock.monotonicMs()))
    // Where the segment was torn both sides answered: the one that stays says so again.
    for (const ip of election.owned) announce(ip)
  })

  /** On an interface that is down nothing is sent; the next heartbeat tries again. */
  const trySend = (socket: PacketSocket, frame: Uint8Array) => {
    try {
      socket.send(frame)
    } catch (error) {
      log.debug('cannot send', { err: (error as Error).message }, 4)
    }
  }
  const announce = (ip: string) => {
    const bytes = parseIp(ip)!
    if (bytes.length === 4) trySend(arp, encodeArpAnnouncement(bytes, mac))
    else trySend(ndp, encodeNeighbourAnnouncement(bytes, mac))
  }
  const later = (ms: number, act: () => void) => {
    const cancel = clock.after(ms, () => {
      cancels.delete(cancel)
      act()
    })
    cancels.add(cancel)
  }

  function follow({ gained, lost, silent }: Decision): void {
    for (const name of silent) log.info('a neighbour is silent', { node: name })
    // Who is gone may have answered a moment ago.
    if (silent.length > 0) for (const ip of election.owned) if (!gained.includes(ip)) announce(ip)
    for (const ip of gained) {
      log.info('answering for address', { ip })
      announce(ip)
      for (const ms of announceAgainMs) later(ms, () => election.owned.has(ip) && announce(ip))
    }
    for (const ip of lost) log.info('no longer answering for address', { ip })
    if (gained.length > 0 || lost.length > 0) options.onOwned?.(election.owned)
  }

  const beat = () => {
    trySend(beats, encodeHeartbeat({ group, node, isLeaving: false }, mac))
    follow(election.beat(clock.monotonicMs()))
    cancelBeat = clock.after(heartbeatMs, beat)
  }
  const quiet = () => {
    cancelBeat?.()
    cancelBeat = undefined
    election.deafen()
  }

  return {
    want(candidacies) {
      election.want(candidacies)
      if (candidacies.length === 0) {
        if (cancelBeat) trySend(beats, encodeHeartbeat({ group, node, isLeaving: true }, mac))
        quiet()
      }
      if (candidacies.length === 0 || cancelBeat) return follow(election.decide(clock.monotonicMs()))
      election.listen(clock.monotonicMs())
      beat()
    },
    get owned() {
      return election.owned
    },
    [Symbol.dispose]: () => {
      isOver = true
      if (cancelBeat) trySend(beats, encodeHeartbeat({ group, node, isLeaving: true }, mac))
      quiet()
      for (const cancel of cancels) cancel()
      for (const socket of [arp, ndp, beats]) socket[Symbol.dispose]()
    },
  }
}
