// effect: Buffer, for the speed of its latin1 strings; clock
// Bytes in, bytes out: the path of every query. Answers about the cluster are rendered once and kept under the
// question's own bytes until an object that they rest on changes.

import { readQuery, renderBody, replyLimit, writeRejection, writeReply, type Body, type Query } from '#dns/query.ts'
import type { Reply, Resolver } from '#dns/resolver.ts'
import { rcodes } from '#dns/wire/message.ts'

/** What was answered, for metrics and the log. */
export type Answered = Asked & {
  readonly query: Query | undefined
  readonly rcode: number
  readonly bytes: number
  readonly tookMs: number
}

/** How a query came. `family` is 1 for IPv4 and 2 for IPv6, as in CoreDNS's metrics. */
export type Asked = {
  readonly transport: 'udp' | 'tcp'
  readonly family: '1' | '2'
  readonly address: string
  readonly port: number
}

export type Responder = {
  /**
   * Answers the query in the first `length` bytes of `request`. Returns the reply's length in `out`, 0 where nothing
   * may be sent, -1 where another thread answers, or a promise of it: then `request` must stay as it is, and `out` be read as soon as the promise holds.
   */
  respond(request: Buffer, length: number, asked: Asked, out: Buffer): number | Promise<number>
  /** Forgets what rests on these Services (`namespace/name`; `namespace/` for a whole namespace). */
  forget(serviceKeys: Iterable<string>): void
}

/** Kept answers at the most; names that do not exist are kept apart, so that a flood of them displaces nothing. */
const mostKept = 500_000
const mostNegative = 20_000

export function createResponder(
  resolve: Resolver,
  onAnswer: (answered: Answered) => void = () => undefined,
): Responder {
  const kept = new Map<string, { readonly query: Query; readonly body: Body }>()
  const negative = new Map<string, { readonly query: Query; readonly body: Body }>()
  const keysOfService = new Map<string, Set<string>>()
  let rotation = 0

  const keep = (key: string, service: string, query: Query, body: Body) => {
    // Only lower case is kept: letter cases of one name are endless.
    if (query.edns !== undefined || body.rcode === rcodes.SERVFAIL || key !== key.toLowerCase()) return
    const where = body.rcode === rcodes.NXDOMAIN ? negative : kept
    if (where.size >= (where === negative ? mostNegative : mostKept)) where.clear()
    where.set(key, { query, body })
    const keys = keysOfService.get(service)
    if (keys === undefined) keysOfService.set(service, new Set([key]))
    else keys.add(key)
  }

  const send = (request: Buffer, query: Query, body: Body, asked: Asked, started: number, out: Buffer): number => {
    rotation = (rotation + 1 + ((Math.random() * 8) | 0)) & 0xffff
    const bytes = writeReply(request, query, body, replyLimit(query, asked.transport), rotation, out)
    onAnswer({ ...asked, query, rcode: body.rcode, bytes, tookMs: performance.now() - started })
    return bytes
  }

  return {
    respond(request, length, asked, out) {
      const started = performance.now()
      // A query without OPT is its header and its question: those bytes are the key.
      const key = request.toString('latin1', 12, length)
      const plain = length > 12 && request[11] === 0 && request[5] === 1 && (request[2]! & 0xf8) === 0
      const known = plain ? (kept.get(key) ?? negative.get(key)) : undefined
      if (known !== undefined && request[7] === 0 && request[9] === 0)
        return send(request, known.query, known.body, asked, started, out)
      const read = readQuery(request, length)
      if (read.kind === 'drop') return 0
      if (read.kind === 'reject') {
        const bytes = writeRejection(request, read.rcode, out)
        onAnswer({ ...asked, query: undefined, rcode: read.rcode, bytes, tookMs: performance.now() - started })
        return bytes
      }
      const { query } = read
      const resolution = resolve(query)
      if (resolution.kind === 'elsewhere') return -1
      const render = (reply: Reply) => renderBody(query.name, reply.rcode, reply.authoritative, reply)
      if (resolution.kind === 'later')
        return resolution.ask().then((reply) => send(request, query, render(reply), asked, started, out))
      const body = render(resolution.reply)
      if (plain && resolution.service !== undefined) keep(key, resolution.service, query, body)
      return send(request, query, body, asked, started, out)
    },
    forget(serviceKeys) {
      for (const service of serviceKeys) {
        if (service.endsWith('/')) {
          kept.clear()
          negative.clear()
          keysOfService.clear()
          return
        }
        for (const key of keysOfService.get(service) ?? []) {
          kept.delete(key)
          negative.delete(key)
        }
        keysOfService.delete(service)
      }
    },
  }
}
