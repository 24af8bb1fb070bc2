// effect: asks upstreams, timers
import type { Clock } from '#daemon/clock.ts'
import type { CacheConfig, ForwardConfig } from '#dns/corefile/config.ts'
import { AnswerCache } from '#dns/forward/cache.ts'
import { askingOrder } from '#dns/forward/policy.ts'
import type { Outcome, Upstream } from '#dns/forward/upstream.ts'
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
  readonly onProbeFailed?: (upstream: Upstream) => void
  /** every upstream is believed to be down */
  readonly onAllDown?: () => void
  /** the question is refused: too many are on their way */
  readonly onTooMany?: () => void
  /** the question ends as SERVFAIL or REFUSED, and why */
  readonly onFailure?: (name: string, type: number, reason: string) => void
}

/** A Forward over `upstreams`, by the policy of the configuration; upstreams that fail are probed until they answer. */
export function createForward(config: ForwardConfig, upstreams: readonly Upstream[], context: ForwardContext): Forward {
  const { clock } = context
  const health = createHealth(config, upstreams, context)
  let waiting = 0
  let turn = 0

  const askInTurn = async (...[name, type, query]: Parameters<Forward['ask']>): Promise<Outcome> => {
    let outcome: Outcome = { kind: 'failed', reason: 'no upstream has answered in time' }
    const started = clock.monotonicMs()
    if (config.maxFails > 0 && health.states.every(({ fails }) => fails >= config.maxFails)) context.onAllDown?.()
    for (const index of askingOrder(config, health.states, turn++, Math.random())) {
      const asked = clock.monotonicMs()
      if (asked - started >= patienceMs) break
      const upstream = upstreams[index]!
      outcome = await upstream.ask({
        name,
        type,
        transport: config.transport === 'as-asked' ? (query.byTcp ? 'tcp' : 'udp') : config.transport,
        dnssecOk: query.edns?.dnssecOk ?? false,
        timeoutMs,
      })
      const rcode = outcome.kind === 'answered' ? outcome.message.rcode : undefined
      context.onQuestion?.(upstream, rcode, clock.monotonicMs() - asked)
      health.saw(index, outcome)
      if (outcome.kind === 'answered') break
    }
    return outcome
  }

  const ask: Forward['ask'] = async (name, type, query) => {
    if (config.maxConcurrent > 0 && waiting >= config.maxConcurrent) {
      context.onTooMany?.()
      context.onFailure?.(name, type, `concurrent queries exceeded maximum ${config.maxConcurrent}`)
      return { rcode: rcodes.REFUSED, authoritative: false }
    }
    waiting++
    try {
      const outcome = await askInTurn(name, type, query)
      if (outcome.kind === 'answered') {
        const { rcode, answers, authorities, additionals } = outcome.message
        return { rcode, authoritative: false, answers, authorities, additionals, plugin: 'forward' }
      }
      context.onFailure?.(name, type, outcome.reason)
      return { rcode: rcodes.SERVFAIL, authoritative: false }
    } finally {
      waiting--
    }
  }
  return { ask }
}

/** Which upstreams have failed how often; one that failed is probed until it answers. */
function createHealth(config: ForwardConfig, upstreams: readonly Upstream[], context: ForwardContext) {
  const { clock, signal, onProbeFailed } = context
  const states = upstreams.map(() => ({ fails: 0, probing: false }))
  const probe = (index: number) => {
    clock.after(config.healthCheckMs, async () => {
      const transport = config.transport === 'tcp' ? 'tcp' : 'udp'
      const question = { name: '', type: recordTypes.NS, transport, dnssecOk: false, timeoutMs: 1000 } as const
      const outcome = await upstreams[index]!.ask(question)
      if (outcome.kind === 'answered' || signal.aborted) Object.assign(states[index]!, { fails: 0, probing: false })
      else {
        states[index]!.fails++
        onProbeFailed?.(upstreams[index]!)
        probe(index)
      }
    })
  }
  return {
    states,
    saw(index: number, outcome: Outcome) {
      const state = states[index]!
      if (outcome.kind === 'answered') state.fails = 0
      else {
        state.fails++
        if (state.probing || config.maxFails === 0) return
        state.probing = true
        probe(index)
      }
    },
  }
}

/** `forward` behind a cache. The same question, asked again while its answer is on the way, waits for that answer. */
export function withCache(forward: Forward, config: CacheConfig, clock: Clock, onMiss?: () => void): Forward {
  const cache = new AnswerCache(config)
  const onTheWay = new Map<string, Promise<Reply>>()
  const keyOf = (...[name, type, query]: Parameters<Forward['ask']>) =>
    `${type}${query.edns?.dnssecOk === true ? '+' : ' '}${name}`

  const ask: Forward['ask'] = (...question) => {
    const key = keyOf(...question)
    const asked = onTheWay.get(key)
    if (asked !== undefined) return asked
    const fetched = forward
      .ask(...question)
      .then((reply) => cache.put(key, question[0], reply, clock.monotonicMs()))
      .finally(() => onTheWay.delete(key))
    onTheWay.set(key, fetched)
    return fetched
  }
  return {
    ask,
    sizes: () => cache.size,
    known(...question) {
      const hit = cache.get(keyOf(...question), clock.monotonicMs())
      if (hit === undefined) onMiss?.()
      if (hit?.refresh) void ask(...question)
      return hit
    },
  }
}
