// effect: clock, randomness
// Bytes in, bytes out: the path of every query. An answer is rendered once and kept until an object that it rests on
// changes, or its time is over.

import { randomInt } from 'node:crypto'
import { readQuery, type Query } from '#dns/query.ts'
import { renderBody, replyLimit, writeRejection, writeReply, type Body } from '#dns/reply.ts'
import { noZone, type Basis, type Reply, type Resolver } from '#dns/resolver.ts'
import { AnswerStore, type Origin } from '#dns/serve/answer-store.ts'
import { PlainQuery } from '#dns/serve/plain-query.ts'
import { rcodes } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'

/** How a query came. `family` is 1 for IPv4 and 2 for IPv6, as in CoreDNS's metrics. */
export type Asked = {
  readonly transport: 'udp' | 'tcp'
  readonly family: '1' | '2'
  /** `10.244.1.5:40000`; worked out when it is looked at */
  readonly client: string
}

/** What was answered, for metrics and the log. */
export type Answered = Origin & {
  readonly rcode: number
  /** records that answer the question */
  readonly answers: number
  readonly bytes: number
  readonly queryBytes: number
  /** milliseconds */
  readonly took: number
}

/** `query` is undefined where it could not be read. What is handed over stands only during the call. */
export type OnAnswer = (asked: Asked, query: Query | undefined, answered: Answered) => void

export type Responder = {
  /**
   * Answers the query in the first `length` bytes of `request`. Returns the reply's length in `out`; 0 where nothing
   * may be sent, -1 where another thread answers; or a promise of it: then `out` must be read as soon as it holds.
   */
  respond(request: Buffer, length: number, asked: Asked, out: Buffer): number | Promise<number>
  /** Forgets what rests on these Services (`namespace/name`; `namespace/` for a whole namespace). */
  forget(serviceKeys: Iterable<string>): void
}

const nobody: Origin = { zone: noZone, plugin: '' }
const mega = 1 << 20

export function createResponder(resolve: Resolver, onAnswer: OnAnswer = () => undefined): Responder {
  const plain = new PlainQuery(randomInt(2 ** 31))
  const known = new AnswerStore(96 * mega)
  // Apart, so that a flood of names and types that do not exist, or of names outside, displaces nothing.
  const missing = new AnswerStore(8 * mega)
  const outside = new AnswerStore(8 * mega)
  const answered = { zone: '', plugin: '', rcode: 0, answers: 0, bytes: 0, queryBytes: 0, took: 0 }
  let rotation = 0

  const told = (asked: Asked, query: Query | undefined, origin: Origin, started: number): number => {
    answered.zone = origin.zone
    answered.plugin = origin.plugin
    answered.took = performance.now() - started
    onAnswer(asked, query, answered)
    return answered.bytes
  }
  const write = (request: Buffer, query: Query, body: Body, asked: Asked, out: Buffer) => {
    rotation = (rotation + 1 + ((Math.random() * 8) | 0)) & 0xffff
    answered.rcode = body.rcode
    answered.answers = body.counts[0]
    answered.bytes = writeReply(request, query, body, replyLimit(query, asked.transport), rotation, out)
  }
  const keep = (body: Body, basis: Basis, origin: Origin, now: number) => {
    if (body.rcode === rcodes.SERVFAIL) return
    // Of names that exist resolvers ask addresses, so that their absence is asked for again; other types are endless.
    const isUsual = body.counts[0] > 0 || plain.type === recordTypes.A || plain.type === recordTypes.AAAA
    const store = 'forMs' in basis ? outside : body.rcode === rcodes.NXDOMAIN || !isUsual ? missing : known
    store.keep(plain, body, basis, origin, now)
  }

  return {
    respond(request, length, asked, out) {
      const started = performance.now()
      answered.queryBytes = length
      const isPlain = plain.read(request, length)
      if (isPlain) {
        const found = known.find(plain, started) ?? missing.find(plain, started) ?? outside.find(plain, started)
        if (found !== undefined) {
          write(request, plain, found, asked, out)
          return told(asked, plain, found.origin, started)
        }
      }
      const read = readQuery(request, length)
      if (read.kind === 'drop') return 0
      if (read.kind === 'reject') {
        answered.rcode = read.rcode
        answered.answers = 0
        answered.bytes = writeRejection(request, read.rcode, out)
        return told(asked, undefined, nobody, started)
      }
      const query = asked.transport === 'tcp' ? { ...read.query, byTcp: true } : read.query
      const resolution = resolve(query)
      if (resolution.kind === 'elsewhere') return -1
      const { zone } = resolution
      const render = (reply: Reply) => renderBody(query.name, reply.rcode, reply.authoritative, reply)
      if (resolution.kind === 'later') {
        // The caller's buffer holds other queries by then.
        const [kept, from] = [Buffer.from(request.subarray(0, length)), { ...asked }]
        return resolution.ask().then((reply) => {
          answered.queryBytes = length
          write(kept, query, render(reply), from, out)
          return told(from, query, { zone, plugin: reply.plugin ?? '' }, started)
        })
      }
      const { reply, basis } = resolution
      const body = render(reply)
      const origin = { zone, plugin: reply.plugin ?? '' }
      if (isPlain && basis !== undefined) keep(body, basis, origin, started)
      write(request, query, body, asked, out)
      return told(asked, query, origin, started)
    },
    forget(serviceKeys) {
      known.forget(serviceKeys)
      missing.forget(serviceKeys)
    },
  }
}
