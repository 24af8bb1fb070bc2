// effect: iptables programs
// Looks after the masquerading and forwarding rules.
import { messageOf } from '#daemon/error.ts'
import type { Check } from '#daemon/health.ts'
import { createLoop, type Loop } from '#daemon/loop.ts'
import type { PartContext } from '#daemon/part.ts'
import type { Self } from '#flannel/backend.ts'
import type { Family } from '#flannel/lease.ts'
import { RuleKeeper } from '#flannel/masquerade/keep-rules.ts'
import { forwardChain, masqueradeChain, wallChain } from '#flannel/masquerade/rules.ts'
import type { FlannelMetrics } from '#flannel/metrics.ts'
import type { FlannelOptions } from '#flannel/options.ts'

/** `selves`: ourselves by family as last planned; none before. */
export function createRulesLoop(
  options: FlannelOptions,
  { clock, log }: PartContext,
  metrics: FlannelMetrics,
  selves: () => readonly Self[],
): Loop & { readonly reason: Check } {
  const { config, masquerade, forwardRules, isolateFrom, netns } = options
  const isWanted = masquerade || forwardRules || isolateFrom.length > 0
  const keepers = new Map<Family, RuleKeeper>()
  let written: readonly Self[] = []
  let reason: string | undefined = isWanted ? 'rules are not written yet' : undefined

  const keep = async (self: Self): Promise<void> => {
    const { family, subnet } = self
    const network = config.networks[family]!
    const keeper = keepers.get(family) ?? (await RuleKeeper.open(family, netns))
    keepers.set(family, keeper)
    const randomFully = options.randomFully && keeper.randomFully
    const others = isolateFrom.filter((other) => other.includes(':') === (family === 6))
    const chains = [
      ...(masquerade ? [masqueradeChain({ family, network, subnet, randomFully })] : []),
      ...(forwardRules ? [forwardChain(network)] : []),
      ...(others.length > 0 ? [wallChain(network, others)] : []),
    ]
    const names = await keeper.ensure(chains)
    const isRepair = written.some((one) => one.family === family && one.subnet === subnet)
    for (const name of names) log.info(isRepair ? `Rules recovered: ${name}` : `Setting up rules: ${name}`)
    metrics.rulesWritten(names, isRepair && names.length > 0)
  }
  const loop = createLoop({
    name: 'rules',
    clock,
    log,
    resyncMs: options.rulesResyncMs,
    onResync: () => ['resync'],
    async act() {
      if (!isWanted || selves().length === 0) return
      const now = selves()
      try {
        for (const self of now) await keep(self)
        reason = undefined
        written = now
      } catch (error) {
        reason = messageOf(error)
        throw error
      }
    },
  })
  return { ...loop, reason: () => reason }
}
