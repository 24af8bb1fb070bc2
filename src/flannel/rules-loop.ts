// effect: iptables programs, netlink sockets
// Looks after the masquerading and forwarding rules.
import { messageOf } from '#daemon/error.ts'
import type { Check } from '#daemon/health.ts'
import { createLoop, type Loop } from '#daemon/loop.ts'
import type { PartContext } from '#daemon/part.ts'
import { fnv32a } from '#lib/hash.ts'
import { defaultPrefix, keysOf } from '#flannel/annotations.ts'
import type { Self } from '#flannel/backend.ts'
import { defaultEtcdPrefix } from '#flannel/etcd-records.ts'
import type { Family } from '#flannel/lease.ts'
import { openKeeper, type RuleKeeper } from '#flannel/masquerade/open-keeper.ts'
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
  const suffix = suffixOf(options)
  const keepers = new Map<Family, RuleKeeper>()
  let written: readonly Self[] = []
  let reason: string | undefined = isWanted ? 'rules are not written yet' : undefined

  const keep = async (self: Self): Promise<void> => {
    const { family, subnet } = self
    const keeper = keepers.get(family) ?? (await openKeeper(config.rules, family, suffix, { netns, log }))
    keepers.set(family, keeper)
    const names = await keeper.ensure({
      family,
      network: config.networks[family]!,
      subnet,
      suffix,
      masquerade,
      randomFully: options.randomFully,
      forward: forwardRules,
      isolateFrom: isolateFrom.filter((other) => other.includes(':') === (family === 6)),
    })
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

/** Networks that share a node have prefixes of their own in Kubernetes or etcd, by which their rules are told apart too. */
function suffixOf({ keeper, annotationPrefix }: FlannelOptions): string {
  const isEtcd = keeper.kind === 'etcd'
  const [prefix, usual] = isEtcd
    ? [keeper.prefix, defaultEtcdPrefix]
    : [keysOf(annotationPrefix).managed, keysOf(defaultPrefix).managed]
  return prefix === usual ? '' : `-${fnv32a(prefix).toString(16).padStart(8, '0')}`
}
