// effect: asks upstreams
import { askUpstream, type Upstream } from '#dns/forward/upstream.ts'
import type { Forward, Reply } from '#dns/resolver.ts'
import { rcodes } from '#dns/wire/message.ts'

export type ForwardOptions = {
  readonly upstreams: readonly Upstream[]
  readonly timeoutMs: number
  /** questions that may wait for upstreams at once; more are refused */
  readonly mostConcurrent: number
}

/** A Forward that tries the upstreams in random order until one answers. */
export function createForward(options: ForwardOptions): Forward {
  let waiting = 0
  return async (name, type, query): Promise<Reply> => {
    if (waiting >= options.mostConcurrent) return { rcode: rcodes.REFUSED, authoritative: false }
    waiting++
    try {
      for (const upstream of shuffled(options.upstreams)) {
        const message = await askUpstream(upstream, name, type, {
          timeoutMs: options.timeoutMs,
          dnssecOk: query.edns?.dnssecOk ?? false,
        })
        if (message === undefined) continue
        const { rcode, authoritative, answers, authorities, additionals } = message
        return { rcode, authoritative, answers, authorities, additionals }
      }
      return { rcode: rcodes.SERVFAIL, authoritative: false }
    } finally {
      waiting--
    }
  }
}

function shuffled<T>(list: readonly T[]): T[] {
  const from = Math.floor(Math.random() * list.length)
  return [...list.slice(from), ...list.slice(0, from)]
}
