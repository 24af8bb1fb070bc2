// effect: etcd
// Leases of keys that go away by themselves. Many keys share one, as in Kubernetes: a lease costs etcd more than a key.

import type { Clock } from '#daemon/clock.ts'
import type { EtcdClient } from '#etcd/client.ts'
import { code, GrpcError } from '#etcd/grpc-channel.ts'

/** Keys of one lease are at most this much apart, and so live as much longer than they should. */
const shareSeconds = 60
const mostKeys = 1000

type Lease = { readonly id: Promise<number>; readonly untilMs: number; keys: number }

export class EtcdLeases {
  readonly #client: EtcdClient
  readonly #clock: Clock
  readonly #newId: () => number
  readonly #current = new Map<number, Lease>()

  constructor(client: EtcdClient, clock: Clock, newId: () => number) {
    this.#client = client
    this.#clock = clock
    this.#newId = newId
  }

  /** Writes with a lease of so many seconds (undefined: none, 0). One that is gone by then is granted anew. */
  async with<T>(ttlSeconds: number | undefined, write: (lease: number) => Promise<T>): Promise<T> {
    if (ttlSeconds === undefined) return write(0)
    try {
      return await write(await this.#lease(ttlSeconds))
    } catch (error) {
      if (!(error instanceof GrpcError) || error.code !== code.notFound) throw error
      this.#current.delete(ttlSeconds)
      return write(await this.#lease(ttlSeconds))
    }
  }

  #lease(ttlSeconds: number): Promise<number> {
    const current = this.#current.get(ttlSeconds)
    const nowMs = this.#clock.monotonicMs()
    if (current !== undefined && nowMs < current.untilMs && current.keys < mostKeys) {
      current.keys++
      return current.id
    }
    // Short times are kept exactly: a lease is shared for a twentieth of them at most.
    const shared = Math.min(shareSeconds, Math.floor(ttlSeconds / 20))
    const id = this.#newId()
    const granted = this.#client.grantLease(id, ttlSeconds + shared).then(
      () => id,
      (error: unknown) => {
        this.#current.delete(ttlSeconds)
        // An answer was lost, and the call repeated: the lease is there.
        if (error instanceof GrpcError && error.code === code.failedPrecondition) return id
        throw error
      },
    )
    this.#current.set(ttlSeconds, { id: granted, untilMs: nowMs + shared * 1000, keys: 1 })
    return granted
  }
}
