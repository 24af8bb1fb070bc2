// effect: HTTP/2 connections
// An etcd v3 cluster: whichever of its members answers. A call goes on to the next member where one does not.
import { code, GrpcChannel, GrpcError, type ChannelTls } from '#etcd/grpc-channel.ts'
import {
  decodeAuthenticate,
  decodeLeaseTimeToLive,
  decodeRange,
  decodeTxn,
  decodeWatch,
  encodeAuthenticate,
  encodeCompaction,
  encodeDelete,
  encodeLeaseGrant,
  encodeLeaseTimeToLive,
  encodePut,
  encodeRange,
  encodeTxn,
  encodeWatch,
  type Event,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
  type WatchRequest,
} from '#etcd/message.ts'

export type EtcdOptions = {
  /** `http://HOST:PORT` or `https://HOST:PORT`, at least one */
  readonly servers: readonly string[]
  readonly tls?: ChannelTls
  /** for an etcd with authentication on */
  readonly user?: { readonly name: string; readonly password: string }
  /** how long a call looks for a member that answers; default 10 s */
  readonly patienceMs?: number
}

/** For one member to answer in; an election takes a second or two. */
const attemptMs = 3000
const [leastPauseMs, mostPauseMs] = [20, 500]

/** An answer, and whether an earlier try of the same call may have been carried out unheard. */
export type Answered<T> = { readonly answer: T; readonly isRepeated: boolean }

export type WatchEnd =
  /** its start is forgotten: the oldest revision that is there */
  { readonly kind: 'compacted'; readonly revision: number } | { readonly kind: 'broken'; readonly error: Error }

export class EtcdClient {
  readonly #channels: readonly GrpcChannel[]
  readonly #patienceMs: number
  readonly #user: EtcdOptions['user']
  #token: string | undefined
  #current = 0
  #isClosed = false

  constructor({ servers, tls, user, patienceMs = 10_000 }: EtcdOptions) {
    this.#user = user
    this.#channels = servers.map((url) => new GrpcChannel(url, tls))
    this.#patienceMs = patienceMs
  }

  /** Throws GrpcError, as all of these do. */
  async range(request: RangeRequest): Promise<RangeResponse> {
    return decodeRange((await this.#call('KV/Range', encodeRange(request))).answer)
  }

  async transact(request: TxnRequest): Promise<Answered<TxnResponse>> {
    const { answer, isRepeated } = await this.#call('KV/Txn', encodeTxn(request))
    return { answer: decodeTxn(answer), isRepeated }
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#call('KV/Put', encodePut({ kind: 'put', key, value }))
  }
  async delete(key: string): Promise<void> {
    await this.#call('KV/DeleteRange', encodeDelete(key))
  }

  async compact(revision: number): Promise<void> {
    await this.#call('KV/Compact', encodeCompaction(revision))
  }

  async grantLease(id: number, ttlSeconds: number): Promise<void> {
    await this.#call('Lease/LeaseGrant', encodeLeaseGrant(id, ttlSeconds))
  }

  /** What is left of its time, in seconds; negative for a lease that is gone. */
  async leaseSeconds(id: number): Promise<number> {
    return decodeLeaseTimeToLive((await this.#call('Lease/LeaseTimeToLive', encodeLeaseTimeToLive(id))).answer)
  }

  /** Watches until it ends, which is told once; the answer ends it without a word. */
  watch(
    request: WatchRequest,
    onEvents: (events: readonly Event[]) => void,
    onEnd: (end: WatchEnd) => void,
  ): () => void {
    let isOver = false
    const at = this.#current
    const end = (how: WatchEnd) => {
      if (isOver) return
      isOver = true
      if (how.kind === 'broken') this.#leave(at)
      stream.close()
      onEnd(how)
    }
    const stream = this.#channels[at]!.open(
      '/etcdserverpb.Watch/Watch',
      {
        message(bytes) {
          if (isOver) return
          const { isCanceled, compactRevision, reason, events } = decodeWatch(bytes)
          if (compactRevision > 0) end({ kind: 'compacted', revision: compactRevision })
          else if (isCanceled) end({ kind: 'broken', error: new Error(`the watch was canceled: ${reason}`) })
          else if (events.length > 0) onEvents(events)
        },
        end: (error) => end({ kind: 'broken', error }),
      },
      this.#token,
    )
    stream.send(encodeWatch(request))
    return () => {
      isOver = true
      stream.close()
    }
  }

  close(): void {
    this.#isClosed = true
    for (const channel of this.#channels) channel.close()
  }

  /** A token may have ended, or be one of another time: then there is a new one, and the call is made again. */
  async #call(method: string, message: Uint8Array): Promise<Answered<Uint8Array>> {
    if (this.#user === undefined) return this.#callAnyone(method, message)
    if (this.#token === undefined) await this.#authenticate(this.#user)
    try {
      return await this.#callAnyone(method, message)
    } catch (error) {
      if (!isOldToken(error)) throw error
      await this.#authenticate(this.#user)
      return this.#callAnyone(method, message)
    }
  }

  async #authenticate({ name, password }: NonNullable<EtcdOptions['user']>): Promise<void> {
    this.#token = undefined
    const { answer } = await this.#callAnyone('Auth/Authenticate', encodeAuthenticate(name, password))
    this.#token = decodeAuthenticate(answer)
  }

  async #callAnyone(method: string, message: Uint8Array): Promise<Answered<Uint8Array>> {
    const endMs = performance.now() + this.#patienceMs
    let isRepeated = false
    for (let attempt = 0; ; attempt++) {
      const at = this.#current
      try {
        const channel = this.#channels[at]!
        const answer = await channel.call(`/etcdserverpb.${method}`, message, attemptMs, this.#token)
        return { answer, isRepeated }
      } catch (error) {
        if (!isPassing(error) || this.#isClosed || performance.now() > endMs) throw error
        if (!error.isUnsent) isRepeated = true
        this.#leave(at)
        // Around the whole cluster at once, then with pauses.
        const rounds = Math.floor((attempt + 1) / this.#channels.length)
        const pauseMs = rounds === 0 ? 0 : Math.min(leastPauseMs * 2 ** (rounds - 1), mostPauseMs)
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    }
  }

  /** This member does not answer: the next one is asked from now on. */
  #leave(at: number): void {
    if (this.#current === at) this.#current = (at + 1) % this.#channels.length
  }
}

/** Of no time any more, or from before a change of users and roles. */
const isOldToken = (error: unknown): boolean =>
  error instanceof GrpcError &&
  (error.code === code.unauthenticated ||
    (error.code === code.invalidArgument && error.message.includes('auth store is old')))

/** Whether another try, perhaps with another member, may go well. */
function isPassing(error: unknown): error is GrpcError {
  if (!(error instanceof GrpcError)) return false
  if (error.code === code.unavailable || error.code === code.deadlineExceeded) return true
  return error.code === code.resourceExhausted && error.message.includes('too many requests')
}
