// effect: the thread that answers by batches; UDP socket
// It owns a copy of the zone, fed by messages, and blocks in the kernel for datagrams. What it cannot answer at once
// (names outside, mostly) goes to the main thread as it came.
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { DatagramBatch } from '#kernel/datagram-batch.ts'
import type { ZoneOptions } from '#dns/answer.ts'
import type { ServerConfig } from '#dns/corefile/config.ts'
import { createResolver, type Resolver, type Server } from '#dns/resolver.ts'
import { datagramBytes, mostAtOnce } from '#dns/serve/datagram.ts'
import { createResponder } from '#dns/serve/responder.ts'
import { recordTypes } from '#dns/wire/record.ts'
import { Zone, type ZoneChange } from '#dns/zone.ts'

export type BatchThreadData = {
  readonly fd: number
  readonly family: '1' | '2'
  readonly port: MessagePort
  /** word 0: 1 while messages wait on the port, or the thread shall end */
  readonly flag: Int32Array
  /** answers by countIndex */
  readonly counts: Uint32Array
  readonly servers: readonly { readonly config: ServerConfig; readonly options?: ZoneOptions }[]
}

/** To the thread. */
export type BatchMessage =
  | {
      readonly kind: 'change'
      readonly changes: readonly ZoneChange[]
      readonly serial: number
      readonly synced: boolean
    }
  | { readonly kind: 'servers'; readonly servers: BatchThreadData['servers'] }
  | { readonly kind: 'reset' }
  | { readonly kind: 'end' }

/** To the main thread: a query for it to answer, and the sockaddr that it came from. */
export type BatchQuery = { readonly request: Uint8Array; readonly from: Uint8Array }

const countedTypes: readonly number[] = [
  recordTypes.A,
  recordTypes.AAAA,
  recordTypes.SRV,
  recordTypes.PTR,
  recordTypes.TXT,
  recordTypes.CNAME,
  recordTypes.HTTPS,
]
export const countNames = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'CNAME', 'HTTPS', 'other'] as const
export const countIndex = (rcode: number, type: number | undefined): number => {
  const known = type === undefined ? -1 : countedTypes.indexOf(type)
  return (rcode & 15) * countNames.length + (known === -1 ? countNames.length - 1 : known)
}

/** How long it sleeps in the kernel before it looks for messages that no query has made it read. */
const timeoutMs = 1000

if (workerData !== null && 'fd' in (workerData as object)) answerForEver(workerData as BatchThreadData)

function answerForEver({ fd, family, port, flag, counts, servers }: BatchThreadData): void {
  let zone = new Zone()
  let current = servers
  const responderFor = (of: BatchThreadData['servers']) =>
    createResponder(resolverOf(zone, of), (_, query, rcode) => {
      Atomics.add(counts, countIndex(rcode, query?.type), 1)
    })
  let responder = responderFor(servers)
  const batch = new DatagramBatch(fd, { most: mostAtOnce, size: datagramBytes, timeoutMs })
  const asked = { transport: 'udp', family, client: '' } as const
  for (;;) {
    const received = batch.receive()
    // Changes come before answers: whoever asks after a change sees it.
    if (Atomics.load(flag, 0) !== 0 && !takeMessages()) return
    let answers = 0
    for (let i = 0; i < received; i++) {
      const request = batch.datagram(i)
      const length = batch.lengthOf(i)
      const bytes = responder.respond(request, length, asked, batch.answer(answers))
      if (typeof bytes !== 'number') throw new Error('a batch thread does not wait')
      if (bytes === -1)
        port.postMessage({
          request: new Uint8Array(request.subarray(0, length)),
          from: new Uint8Array(batch.senderOf(i)),
        })
      else if (bytes > 0) batch.setAnswer(answers++, i, bytes)
    }
    if (answers > 0) batch.send(answers)
  }

  function takeMessages(): boolean {
    Atomics.store(flag, 0, 0)
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const message = next.message as BatchMessage
      if (message.kind === 'end') return false
      if (message.kind === 'servers' || message.kind === 'reset') {
        if (message.kind === 'servers') current = message.servers
        else zone = new Zone()
        responder = responderFor(current)
        continue
      }
      zone.serial = message.serial
      zone.synced = message.synced
      for (const change of message.changes) responder.forget(zone.apply(change))
    }
    return true
  }
}

function resolverOf(zone: Zone, servers: BatchThreadData['servers']): Resolver {
  const elsewhere = { kind: 'elsewhere' } as const
  const later = () => Promise.reject(new Error('a batch thread does not forward'))
  const resolve = createResolver(
    servers.map(({ config, options }): Server => ({
      config,
      ...(options === undefined ? {} : { kubernetes: { zone, options } }),
      forwards: config.forward.map((entry) => ({ config: entry, forward: { ask: later } })),
    })),
  )
  // Hosts files are read by the main thread alone.
  if (servers.some(({ config }) => config.hosts !== undefined)) return () => elsewhere
  return (query) => {
    const resolution = resolve(query)
    return resolution.kind === 'later' ? elsewhere : resolution
  }
}
