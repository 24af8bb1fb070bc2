// effect: threads that answer UDP by batches
import { MessageChannel, Worker } from 'node:worker_threads'
import { close, sendTo } from '#kernel/ffi.ts'
import { countNames, type BatchMessage, type BatchQuery, type BatchThreadData } from '#dns/serve/batch-thread.ts'
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
  use(servers: BatchThreadData['servers']): void
  /** Answers since the last call, by type and code. */
  counted(each: (type: string, rcode: number, count: number) => void): void
}

/** Answers on `address`:`port` by `threads` threads that share the port. `fallback` answers what they cannot. */
export async function serveBatches(
  fallback: Responder,
  o: {
    readonly address: string
    readonly port: number
    readonly threads: number
    readonly servers: BatchThreadData['servers']
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
      for (const thread of threads) thread.tell({ kind: 'servers', servers })
    },
    counted(each) {
      for (const { counts } of threads)
        for (let index = 0; index < counts.length; index++) {
          const count = Atomics.exchange(counts, index, 0)
          if (count > 0) each(countNames[index % countNames.length]!, Math.floor(index / countNames.length), count)
        }
    },
    async [Symbol.asyncDispose]() {
      for (const thread of threads) thread.tell({ kind: 'end' })
      await Promise.all(threads.map((thread) => thread.ended))
    },
  }
}

async function startThread(fd: number, family: '1' | '2', servers: BatchThreadData['servers'], fallback: Responder) {
  const { port1, port2 } = new MessageChannel()
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const counts = new Uint32Array(new SharedArrayBuffer(4 * 16 * countNames.length))
  const workerData: BatchThreadData = { fd, family, port: port2, flag, counts, servers }
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
  return {
    counts,
    ended: ended.then(() => port1.close()),
    tell(message: BatchMessage) {
      port1.postMessage(message)
      Atomics.store(flag, 0, 1)
    },
  }
}
