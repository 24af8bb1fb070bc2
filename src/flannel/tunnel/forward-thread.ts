// effect: the thread of a tunnel: TUN device, UDP socket
// Carries packets between a TUN device and the other nodes in UDP: the packet is the datagram's content, as flannel's own udp
// back end has it. It reads all that is there, then sends it in few calls, and sleeps in the kernel where nothing is there.
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import type { TunnelPeer } from '#flannel/backend.ts'
import { destinationAt, PeerTable } from '#flannel/tunnel/peer-table.ts'
import { unreachable } from '#flannel/tunnel/unreachable.ts'
import { socketAddress } from '#kernel/datagram-batch.ts'
import { addressOf, poll, readAt, writeAt } from '#kernel/ffi.ts'
import { SegmentReceiver, SegmentSender } from '#kernel/segment-batch.ts'
import { parseCidr } from '#lib/cidr.ts'
import { parseIp } from '#lib/ip.ts'

export type ForwardThreadData = {
  readonly tun: number
  readonly udp: number
  readonly port: MessagePort
  /** 1 while messages wait on the port; `wake` then can be read, which ends a sleep */
  readonly flag: Int32Array
  readonly wake: number
  /** by counterNames */
  readonly counts: BigUint64Array
  readonly first: ForwardTable
}

/** What the thread must know, and each time anew where it changes. */
export type ForwardTable = {
  /** our own range: nothing else is taken from the others */
  readonly subnet: string
  readonly peers: readonly TunnelPeer[]
  /** UDP port of all nodes */
  readonly port: number
}
export type ForwardMessage = { readonly kind: 'table'; readonly table: ForwardTable } | { readonly kind: 'end' }

export const counterNames = [
  'sent',
  'received',
  'sent_bytes',
  'received_bytes',
  'no_peer',
  'refused',
  'foreign',
] as const
const place = Object.fromEntries(counterNames.map((name, i) => [name, i])) as Record<
  (typeof counterNames)[number],
  number
>

const slots = 64
const slotBytes = 16_384
const messages = 16
/** So that a process that ends without asking the thread can end. */
const sleepMs = 1000

if (workerData !== null && 'tun' in (workerData as object)) forwardForEver(workerData as ForwardThreadData)

function forwardForEver({ tun, udp, wake, port, flag, counts, first }: ForwardThreadData): void {
  let table = openTable(first)
  const { isV4 } = table
  const family = isV4 ? 4 : 6
  const sender = new SegmentSender(udp, { slots, slotBytes, family })
  const receiver = new SegmentReceiver(udp, messages)
  const files = pollFiles([tun, udp, wake])
  const view = new DataView(files.buffer)
  const wakeBytes = new Uint8Array(64)
  const wakeAt = Number(addressOf(wakeBytes))
  const count = (name: keyof typeof place, n = 1) => (counts[place[name]]! += BigInt(n))

  for (;;) {
    const isBusy = (takePackets() | takeDatagrams()) !== 0
    if (!isBusy && poll(files, sleepMs) > 0 && view.getInt16(2 * 8 + 6, true) !== 0)
      readAt(wake, wakeAt, wakeBytes.length)
    if (Atomics.load(flag, 0) !== 0 && !takeMessages()) return
  }

  /** From pods here to pods elsewhere. */
  function takePackets(): number {
    let taken = 0
    let bytes = 0
    while (sender.count < slots) {
      const at = sender.count * slotBytes
      const length = readAt(tun, sender.next, slotBytes)
      if (length === undefined) break
      taken++
      const peer =
        sender.packets[at]! >> 4 === family ? table.find(sender.packets, at + destinationAt[family]) : undefined
      if (peer === undefined) refuse(sender.packets.subarray(at, at + length))
      else {
        bytes += length
        sender.push(length, peer)
      }
    }
    if (sender.count > 0) {
      count('sent', sender.count)
      count('sent_bytes', bytes)
      const refused = sender.flush()
      if (refused > 0) count('refused', refused)
    }
    return taken
  }

  function refuse(packet: Uint8Array): void {
    count('no_peer')
    const answer = packet[0]! >> 4 === family ? unreachable(packet) : undefined
    if (answer !== undefined) writeAt(tun, Number(addressOf(answer)), answer.length)
  }

  /** From pods elsewhere to pods here. */
  function takeDatagrams(): number {
    const received = receiver.receive()
    for (let i = 0; i < received; i++) {
      const start = receiver.startOf(i)
      const end = start + receiver.lengthOf(i)
      const segment = receiver.segmentOf(i)
      let packets = 0
      for (let at = start; at < end; at += segment) {
        const length = Math.min(segment, end - at)
        const isOurs = receiver.bytes[at]! >> 4 === family && table.isOwn(receiver.bytes, at + destinationAt[family])
        if (!isOurs || length < (isV4 ? 20 : 40)) count('foreign')
        else if (writeAt(tun, receiver.base + at, length) === 0) packets++
        else count('refused')
      }
      count('received', packets)
      count('received_bytes', end - start)
    }
    return received
  }

  function takeMessages(): boolean {
    Atomics.store(flag, 0, 0)
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const message = next.message as ForwardMessage
      if (message.kind === 'end') return false
      table = openTable(message.table)
    }
    return true
  }
}

/** The table in the form in which packets are looked up: peers as places of their sockaddrs in memory. */
function openTable({ subnet, peers, port }: ForwardTable) {
  const own = parseCidr(subnet)!
  const isV4 = own.base.length === 4
  const known = new PeerTable(peers)
  const self = new PeerTable([{ subnet, publicIp: '' }])
  const addresses = peers.map(({ publicIp }) => socketAddress(parseIp(publicIp)!, port))
  const places = addresses.map(addressOf)
  return {
    isV4,
    /** The memory of the sockaddrs lives as long as this. */
    addresses,
    find: (bytes: Uint8Array, at: number): bigint | undefined => places[known.find(bytes, at, isV4)],
    isOwn: (bytes: Uint8Array, at: number): boolean => self.find(bytes, at, isV4) === 0,
  }
}

/** struct pollfd: file, POLLIN. */
function pollFiles(files: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(files.length * 8))
  const view = new DataView(bytes.buffer)
  for (const [i, file] of files.entries()) {
    view.setInt32(i * 8, file, true)
    view.setInt16(i * 8 + 4, 1, true)
  }
  return bytes
}
