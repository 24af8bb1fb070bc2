// effect: TUN devices, UDP sockets, threads
// The threads that carry packets for back ends without the kernel's help: one for each TUN device. A thread whose device
// somebody has removed ends, and the next look starts another.
import { closeSync, writeSync } from 'node:fs'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Logger } from '#daemon/log.ts'
import type { Registry } from '#daemon/metrics.ts'
import { pipe, SystemError } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'
import { openSegmented } from '#kernel/segment-batch.ts'
import { openTun } from '#kernel/tun.ts'
import { parseIp } from '#lib/ip.ts'
import type { Tunnel } from '#flannel/backend.ts'
import { counterNames, type ForwardMessage, type ForwardThreadData } from '#flannel/tunnel/forward-thread.ts'

export type TunnelsOptions = {
  readonly log: Logger
  readonly registry: Registry
  readonly netns: string | undefined
  /** a thread has ended that should not have */
  onEnd(): void
}

type Running = {
  /** what its files were opened for */
  readonly where: string
  table: string
  tell(message: ForwardMessage): void
  readonly ended: Promise<void>
}

export class Tunnels implements AsyncDisposable {
  readonly #o: TunnelsOptions
  readonly #running = new Map<string, Running>()
  /** by device; kept when a thread is replaced, so that counters never fall */
  readonly #counts = new Map<string, BigUint64Array>()

  constructor(options: TunnelsOptions) {
    this.#o = options
    const help = 'What the udp back end did with packets, by device: sent, received ..., and bytes of these.'
    options.registry.gauge('flannel_udp_packets', help, ['device', 'what'], (gauge) => {
      for (const [device, counts] of this.#counts)
        for (const [i, name] of counterNames.entries()) gauge.set(Number(counts[i]), device, name)
    })
  }

  /**
   * Makes the device where it is missing, and has its packets carried. False: an old thread must end first, `onEnd` tells
   * when. Throws a SystemError.
   */
  ensure(device: string, isThere: boolean, tunnel: Tunnel): boolean {
    const { local, port, subnet, peers } = tunnel
    const where = `${local} ${port}`
    const table = JSON.stringify({ subnet, peers })
    const running = this.#running.get(device)
    if (running?.where === where && isThere) {
      if (running.table !== table) running.tell({ kind: 'table', table: { subnet, peers, port } })
      running.table = table
      return true
    }
    if (running !== undefined) this.stop(device)
    else this.#start(device, tunnel, where, table)
    return running === undefined
  }

  /** Ends the thread of a device; the device stays. */
  stop(device: string): void {
    this.#running.get(device)?.tell({ kind: 'end' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#running]
    for (const [device] of all) this.stop(device)
    await Promise.all(all.map(([, { ended }]) => ended))
  }

  #start(device: string, { local, port, subnet, peers }: Tunnel, where: string, table: string): void {
    const { log, netns } = this.#o
    const tun = openTun(device, netns)
    let udp: number
    try {
      udp = withNetns(netns, () => openSegmented(parseIp(local)!, port))
    } catch (error) {
      closeSync(tun)
      if (error instanceof SystemError && error.code === 'EADDRINUSE')
        log.error(`UDP port ${port} of ${local} is taken by another program`)
      throw error
    }
    const wake = pipe()
    const { port1, port2 } = new MessageChannel()
    const flag = new Int32Array(new SharedArrayBuffer(4))
    const counts = this.#counts.get(device) ?? new BigUint64Array(new SharedArrayBuffer(8 * counterNames.length))
    this.#counts.set(device, counts)
    const first = { subnet, peers, port }
    const workerData: ForwardThreadData = { tun, udp, wake: wake.readEnd, port: port2, flag, counts, first }
    const worker = new Worker(new URL(import.meta.resolve('#flannel/tunnel/forward-thread.ts')), {
      workerData,
      transferList: [port2],
    })
    let isAsked = false
    worker.on('error', (error: Error) => log.warn(`${device} has no thread any more: ${error.message}`))
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve())).then(() => {
      for (const file of [tun, udp, wake.readEnd, wake.writeEnd]) closeSync(file)
      port1.close()
      this.#running.delete(device)
      this.#o.onEnd()
    })
    const tell = (message: ForwardMessage) => {
      if (isAsked) return
      isAsked = message.kind === 'end'
      port1.postMessage(message)
      Atomics.store(flag, 0, 1)
      writeSync(wake.writeEnd, '!')
    }
    this.#running.set(device, { where, table, tell, ended })
    log.info(`Carrying packets of ${device} on ${local}, UDP port ${port}`)
  }
}
