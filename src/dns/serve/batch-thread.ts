// effect: the thread that answers by batches; UDP socket
// It owns a copy of the zone, fed by messages, and blocks in the kernel for datagrams. What it cannot answer at once
// (names outside, mostly) goes to the main thread as it came.
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { DatagramBatch } from '#kernel/datagram-batch.ts'
import type { ServerConfig } from '#dns/corefile/config.ts'
import { createResolver, noZone, type Resolver, type Server } from '#dns/resolver.ts'
import { datagramBytes, mostAtOnce } from '#dns/serve/datagram.ts'
import { createResponder, type OnAnswer } from '#dns/serve/responder.ts'
import { recordTypes } from '#dns/wire/record.ts'
import { Zone, type ZoneChange, type ZoneOptions } from '#dns/zone.ts'

export type BatchThreadData = {
  readonly fd: number
  readonly family: '1' | '2'
  readonly port: MessagePort
  /** word 0: 1 while messages wait on the port, or the thread shall end */
  readonly flag: Int32Array
  readonly config: BatchConfig
}

export type BatchConfig = {
  readonly servers: readonly { readonly config: ServerConfig; readonly options?: ZoneOptions }[]
  /** answers by countIndex; as many as countSize says */
  readonly counts: Uint32Array
}

/** To the thread. */
export type BatchMessage =
  | {
      readonly kind: 'change'
      readonly changes: readonly ZoneChange[]
      readonly serial: number
      readonly synced: boolean
    }
  | { readonly kind: 'servers'; readonly config: BatchConfig }
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
/** What answers in such a thread: the cluster's zone, or the server itself. */
const countedPlugins = ['', 'kubernetes'] as const
const codes = 17

/** Zones of these servers as metrics name them; what none of them answers comes first. */
const zonesOf = (servers: BatchConfig['servers']) => [
  noZone,
  ...servers.flatMap(({ config }) => config.zones.map((zone) => `${zone}.`)),
]

export const countSize = (servers: BatchConfig['servers']): number =>
  zonesOf(servers).length * countedPlugins.length * codes * countNames.length

/** Every count that is not 0, and sets it to 0. */
export function takeCounts({ servers, counts }: BatchConfig) {
  const zones = zonesOf(servers)
  return Array.from(counts.keys()).flatMap((index) => {
    const count = Atomics.exchange(counts, index, 0)
    if (count === 0) return []
    const [type, code, plugin, zone] = [
      1,
      countNames.length,
      countNames.length * codes,
      counts.length / zones.length,
    ].map((size) => Math.floor(index / size)) as [number, number, number, number]
    return [
      {
        type: countNames[type % countNames.length]!,
        rcode: code % codes,
        plugin: countedPlugins[plugin % countedPlugins.length]!,
        zone: zones[zone]!,
        count,
      },
    ]
  })
}

function counterOf({ servers, counts }: BatchConfig): OnAnswer {
  const zones = zonesOf(servers)
  return (_, query, { zone, plugin, rcode }) => {
    const type = countedTypes.indexOf(query?.type ?? 0)
    const of = zones.indexOf(zone) * countedPlugins.length + (plugin === 'kubernetes' ? 1 : 0)
    const index = (of * codes + Math.min(rcode, codes - 1)) * countNames.length
    Atomics.add(counts, index + (type === -1 ? countNames.length - 1 : type), 1)
  }
}

/** How long it sleeps in the kernel before it looks for messages that no query has made it read. */
const timeoutMs = 1000

if (workerData !== null && 'fd' in (workerData as object)) answerForEver(workerData as BatchThreadData)

function answerForEver({ fd, family, port, flag, config }: BatchThreadData): void {
  let zone = new Zone()
  let current = config
  const responderFor = (of: BatchConfig) => createResponder(resolverOf(zone, of.servers), counterOf(of))
  let responder = responderFor(config)
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
        if (message.kind === 'servers') current = message.config
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

function resolverOf(zone: Zone, servers: BatchConfig['servers']): Resolver {
  const elsewhere = { kind: 'elsewhere', zone: noZone } as const
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
