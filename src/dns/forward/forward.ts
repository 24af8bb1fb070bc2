// effect: asks upstreams, timers
import type { Clock } from '#daemon/clock.ts'
import type { CacheConfig, ForwardConfig } from '#dns/corefile/config.ts'
import { AnswerCache } from '#dns/forward/cache.ts'
import { askingOrder } from '#dns/forward/policy.ts'
import { askUpstream, type Upstream } from '#dns/forward/upstream.ts'
import type { Forward, Reply } from '#dns/resolver.ts'
import { rcodes } from '#dns/wire/message.ts'
import { recordTypes } from '#dns/wire/record.ts'

const timeoutMs = 2000
/** Time for one question over all its upstreams. */
const patienceMs = 5000

export type ForwardContext = {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onQuestion?: (upstream: Upstream, rcode: number | undefined, tookMs: number) => void
}

/** A Forward over `upstreams`, by the policy of the configuration; upstreams that fail are probed until they answer. */
export function createForward(config: ForwardConfig, upstreams: readonly Upstream[], context: ForwardContext): Forward {
  const health = upstreams.map(() => ({ fails: 0, probing: false }))
  const { clock } = context
  let waiting = 0
  let turn = 0

  const probe = (index: number) => {
    const state = health[index]!
    if (state.probing || config.maxFails === 0) return
    state.probing = true
    const again = async () => {
      const reply = await askUpstream(upstreams[index]!, '', recordTypes.NS, { timeoutMs: 1000, tcp: config.forceTcp })
      if (reply !== undefined || context.signal.aborted) {
        state.probing = false
        state.fails = 0
      } else {
        state.fails++
        clock.after(config.healthCheckMs, () => void again())
      }
    }
    clock.after(config.healthCheckMs, () => void again())
  }

  return async (name, type, query): Promise<Reply> => {
    if (config.maxConcurrent > 0 && waiting >= config.maxConcurrent)
      return { rcode: rcodes.REFUSED, authoritative: false }
    waiting++
    const started = clock.monotonicMs()
    try {
      for (const index of askingOrder(config, health, turn++, Math.random())) {
        const upstream = upstreams[index]!
        const asked = clock.monotonicMs()
        if (asked - started >= patienceMs) break
        const message = await askUpstream(upstream, name, type, {
          timeoutMs,
          tcp: config.forceTcp,
          dnssecOk: query.edns?.dnssecOk ?? false,
        })
        context.onQuestion?.(upstream, message?.rcode, clock.monotonicMs() - asked)
        if (message === undefined) {
          health[index]!.fails++
          probe(index)
          continue
        }
        health[index]!.fails = 0
        const { rcode, answers, authorities, additionals } = message
        return { rcode, authoritative: false, answers, authorities, additionals }
      }
      return { rcode: rcodes.SERVFAIL, authoritative: false }
    } finally {
      waiting--
    }
  }
}

/** `forward` behind a cache. The same question, asked again while its answer is on the way, waits for that answer. */
export function withCache(
  forward: Forward,
  config: CacheConfig,
  clock: Clock,
  onLookup?: (hit: boolean) => void,
): Forward {
  const cache = new AnswerCache(config)
  const onTheWay = new Map<string, Promise<Reply>>()
  return async (name, type, query) => {
    const key = `${type}${query.edns?.dnssecOk === true ? '+' : ' '}${name}`
    const fetch = () => {
      const known = onTheWay.get(key)
      if (known !== undefined) return known
      const asked = forward(name, type, query)
        .then((reply) => {
          cache.put(key, name, reply, clock.monotonicMs())
          return reply
        })
        .finally(() => onTheWay.delete(key))
      onTheWay.set(key, asked)
      return asked
    }
    const hit = cache.get(key, clock.monotonicMs())
    onLookup?.(hit !== undefined)
    if (hit === undefined) return fetch()
    if (hit.refresh) void fetch()
    return hit.reply
  }
}
