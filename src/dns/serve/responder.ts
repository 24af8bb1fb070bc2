// effect: Buffer, for the speed of its latin1 strings
// Bytes in, bytes out: the path of every query. Answers about the cluster are rendered once and kept under the
// question's own bytes until an object that they rest on changes.

import { parseClusterName } from '#dns/question.ts'
import { readQuery, renderBody, replyLimit, writeRejection, writeReply, type Body, type Query } from '#dns/query.ts'
import type { Reply, Resolver } from '#dns/resolver.ts'
import { isWithin } from '#dns/wire/name.ts'
import { rcodes } from '#dns/wire/message.ts'

/** What was answered, for metrics and the log. */
export type Answered = { readonly query: Query | undefined; readonly rcode: number; readonly bytes: number }

export type Responder = {
  /**
   * Answers the query in the first `length` bytes of `request`. Returns the reply's length in `out`, 0 where nothing
   * may be sent, or a promise of it: then `request` must stay as it is, and `out` be read as soon as the promise holds.
   */
  respond(request: Buffer, length: number, transport: 'udp' | 'tcp', out: Buffer): number | Promise<number>
  /** Forgets what rests on these Services (`namespace/name`; `namespace/` for a whole namespace). */
  forget(serviceKeys: Iterable<string>): void
}

/** Kept answers at the most; names that do not exist are kept apart, so that a flood of them displaces nothing. */
const mostKept = 500_000
const mostNegative = 20_000

export function createResponder(domain: string, resolve: Resolver, onAnswer?: (answered: Answered) => void): Responder {
  const kept = new Map<string, { readonly query: Query; readonly body: Body }>()
  const negative = new Map<string, { readonly query: Query; readonly body: Body }>()
  const keysOfService = new Map<string, Set<string>>()
  let rotation = 0

  /** The Service that an answer rests on; undefined where it rests on more than one object. */
  const restsOn = (name: string): string | undefined => {
    if (!isWithin(name, domain)) return undefined
    const parsed = parseClusterName(name, domain)
    return 'service' in parsed ? `${parsed.namespace}/${parsed.service}` : undefined
  }

  const keep = (key: string, query: Query, reply: Reply, body: Body) => {
    const isAlias = reply.answers?.some((record) => record.data.kind === 'name') ?? false
    const service =
      isAlias || query.edns !== undefined || reply.rcode === rcodes.SERVFAIL ? undefined : restsOn(query.name)
    if (service === undefined || key !== key.toLowerCase()) return
    const where = reply.rcode === rcodes.NXDOMAIN ? negative : kept
    if (where.size >= (where === negative ? mostNegative : mostKept)) where.clear()
    where.set(key, { query, body })
    const keys = keysOfService.get(service)
    if (keys === undefined) keysOfService.set(service, new Set([key]))
    else keys.add(key)
  }

  const send = (request: Buffer, query: Query, body: Body, transport: 'udp' | 'tcp', out: Buffer): number => {
    rotation = (rotation + 1 + ((Math.random() * 8) | 0)) & 0xffff
    const bytes = writeReply(request, query, body, replyLimit(query, transport), rotation, out)
    onAnswer?.({ query, rcode: body.rcode, bytes })
    return bytes
  }

  return {
    respond(request, length, transport, out) {
      // A query without OPT is its header and its question: those bytes are the key.
      const key = request.toString('latin1', 12, length)
      const plain = length > 12 && request[11] === 0 && request[5] === 1 && (request[2]! & 0xf8) === 0
      const known = plain ? (kept.get(key) ?? negative.get(key)) : undefined
      if (known !== undefined && request[7] === 0 && request[9] === 0)
        return send(request, known.query, known.body, transport, out)
      const read = readQuery(request, length)
      if (read.kind === 'drop') return 0
      if (read.kind === 'reject') {
        const bytes = writeRejection(request, read.rcode, out)
        onAnswer?.({ query: undefined, rcode: read.rcode, bytes })
        return bytes
      }
      const { query } = read
      const finish = (reply: Reply) => {
        const body = renderBody(query.name, reply.rcode, reply.authoritative, reply)
        if (plain) keep(key, query, reply, body)
        return send(request, query, body, transport, out)
      }
      const resolution = resolve(query)
      if (resolution.kind === 'now') return finish(resolution.reply)
      return resolution.ask().then(finish)
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
