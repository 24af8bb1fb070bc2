// effect: threads that answer UDP by batches
import { MessageChannel, Worker } from 'node:worker_threads'
import { close, sendTo } from '#kernel/ffi.ts'
import {
  countSize,
  takeCounts,
  type BatchConfig,
  type BatchMessage,
  type BatchQuery,
  type BatchThreadData,
} from '#dns/serve/batch-thread.ts'
import type { CountedAnswers } from '#dns/metrics.ts'
import type { Responder } from '#dns/serve/responder.ts'
import { clientAt } from '#dns/serve/datagram.ts'
import { openUdp } from '#dns/serve/udp.ts'
import type { ZoneChange } from '#dns/zone.ts'

export type BatchServer = AsyncDisposable & {
  readonly port: number
  /** Tells the threads; they take it before the next answer. */
  change(changes: readonly ZoneChange[], state: { readonly serial: number; readonly synced: boolean }): void
  /** Forgets every object: others follow. */
  reset(): void
  /** Answers by these from now on. */
  use(servers: BatchConfig['servers']): void
  /** Answers since the last call. */
  counted(): readonly Omit<CountedAnswers, 'server'>[]
}

/** Answers on `address`:`port` by `threads` threads that share the port. `fallback` answers what they cannot. */
export async function serveBatches(
  fallback: Responder,
  o: {
    readonly address: string
    readonly port: number
    readonly threads: number
    readonly servers: BatchConfig['servers']
  },
): Promise<BatchServer> {
  const family = o.address.includes(':') ? '2' : '1'
  const threads: Awaited<ReturnType<typeof startThread>>[] = []
  let { port } = o
  for (let i = 0; i < o.threads; i++) {
    const opened = openUdp(o.address, port, { shared: true })
    port = opened.port
    threads.push(await startThread(opened.fd, family, o.servers, fallback))
  }
  return {
    port,
    change(changes, state) {
      for (const thread of threads) thread.tell({ kind: 'change', changes, ...state })
    },
    reset() {
      for (const thread of threads) thread.tell({ kind: 'reset' })
    },
    use(servers) {
      for (const thread of threads) thread.use(servers)
    },
    counted: () => threads.flatMap((thread) => thread.counted()).map((counted) => ({ ...counted, family })),
    async [Symbol.asyncDispose]() {
      for (const thread of threads) thread.tell({ kind: 'end' })
      await Promise.all(threads.map((thread) => thread.ended))
    },
  }
}

const configOf = (servers: BatchConfig['servers']): BatchConfig => ({
  servers,
  counts: new Uint32Array(new SharedArrayBuffer(4 * countSize(servers))),
})

async function startThread(fd: number, family: '1' | '2', servers: BatchConfig['servers'], fallback: Responder) {
  const { port1, port2 } = new MessageChannel()
  const flag = new Int32Array(new SharedArrayBuffer(4))
  // The thread may still count by the configuration before this one.
  let configs = [configOf(servers)]
  const workerData: BatchThreadData = { fd, family, port: port2, flag, config: configs[0]! }
  const worker = new Worker(new URL(import.meta.resolve('#dns/serve/batch-thread.ts')), {
    workerData,
    transferList: [port2],
  })
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve())).then(() => close(fd))
  const out = Buffer.allocUnsafe(65_535)
  port1.on('message', ({ request, from }: BatchQuery) => {
    const bytes = Buffer.from(request.buffer, request.byteOffset, request.length)
    const answered = fallback.respond(bytes, bytes.length, { transport: 'udp', family, client: clientAt(from) }, out)
    const send = (length: number) => {
      if (length > 0) sendTo(fd, out.subarray(0, length), from)
    }
    if (typeof answered === 'number') send(answered)
    else void answered.then(send)
  })
  port1.unref()
  await new Promise<void>((resolve, reject) => worker.once('online', resolve).once('error', reject))
  const tell = (message: BatchMessage) => {
    port1.postMessage(message)
    Atomics.store(flag, 0, 1)
  }
  let left: ReturnType<typeof takeCounts> = []
  return {
    ended: ended.then(() => port1.close()),
    tell,
    use(next: BatchConfig['servers']) {
      const config = configOf(next)
      left = [...left, ...configs.slice(0, -1).flatMap(takeCounts)]
      configs = [configs.at(-1)!, config]
      tell({ kind: 'servers', config })
    },
    counted() {
      const counted = [...left, ...configs.flatMap(takeCounts)]
      left = []
      return counted
    },
  }
}
