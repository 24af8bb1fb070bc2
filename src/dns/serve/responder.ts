// effect: Buffer, for the speed of its latin1 strings; clock
// Bytes in, bytes out: the path of every query. Answers about the cluster are rendered once and kept under the
// question's own bytes until an object that they rest on changes.

import { readQuery, renderBody, replyLimit, writeRejection, writeReply, type Query } from '#dns/query.ts'
import type { Reply, Resolver } from '#dns/resolver.ts'
import { AnswerStore } from '#dns/serve/answer-store.ts'

/** How a query came. `family` is 1 for IPv4 and 2 for IPv6, as in CoreDNS's metrics. */
export type Asked = {
  readonly transport: 'udp' | 'tcp'
  readonly family: '1' | '2'
  /** `10.244.1.5:40000`; worked out when it is looked at */
  readonly client: string
}

/** What was answered, for metrics and the log. `query` is undefined where it could not be read. */
export type OnAnswer = (
  asked: Asked,
  query: Query | undefined,
  rcode: number,
  bytes: number,
  /** milliseconds */
  took: number,
) => void

export type Responder = {
  /**
   * Answers the query in the first `length` bytes of `request`. Returns the reply's length in `out`; 0 where nothing
   * may be sent, -1 where another thread answers; or a promise of it: then `out` must be read as soon as it holds.
   */
  respond(request: Buffer, length: number, asked: Asked, out: Buffer): number | Promise<number>
  /** Forgets what rests on these Services (`namespace/name`; `namespace/` for a whole namespace). */
  forget(serviceKeys: Iterable<string>): void
}

export function createResponder(resolve: Resolver, onAnswer: OnAnswer = () => undefined): Responder {
  const store = new AnswerStore()
  let rotation = 0

  const write = (
    request: Buffer,
    query: Query,
    body: Parameters<typeof writeReply>[2],
    asked: Asked,
    started: number,
    out: Buffer,
  ) => {
    rotation = (rotation + 1 + ((Math.random() * 8) | 0)) & 0xffff
    const bytes = writeReply(request, query, body, replyLimit(query, asked.transport), rotation, out)
    onAnswer(asked, query, body.rcode, bytes, performance.now() - started)
    return bytes
  }

  return {
    respond(request, length, asked, out) {
      const started = performance.now()
      const key = AnswerStore.keyOf(request, length)
      const known = key === undefined ? undefined : store.get(key)
      if (known !== undefined) return write(request, known.query, known.body, asked, started, out)
      const read = readQuery(request, length)
      if (read.kind === 'drop') return 0
      if (read.kind === 'reject') {
        const bytes = writeRejection(request, read.rcode, out)
        onAnswer(asked, undefined, read.rcode, bytes, performance.now() - started)
        return bytes
      }
      const query = asked.transport === 'tcp' ? { ...read.query, byTcp: true } : read.query
      const resolution = resolve(query)
      if (resolution.kind === 'elsewhere') return -1
      const render = (reply: Reply) => renderBody(query.name, reply.rcode, reply.authoritative, reply)
      if (resolution.kind === 'later') {
        // The caller's buffer holds other queries by then.
        const [kept, from] = [Buffer.from(request.subarray(0, length)), { ...asked }]
        return resolution.ask().then((reply) => write(kept, query, render(reply), from, started, out))
      }
      const body = render(resolution.reply)
      if (key !== undefined && resolution.service !== undefined) store.keep(key, resolution.service, query, body)
      return write(request, query, body, asked, started, out)
    },
    forget: (serviceKeys) => store.forget(serviceKeys),
  }
}
