// The base chains of nftables as stations at the hooks.

import type { NftHook, NftTable } from '#kernel/nftables/ruleset.ts'
import { walkBaseChain } from '#trace/chain/chain.ts'
import type { Station } from '#trace/hooks.ts'
import type { Machine } from '#trace/machine.ts'
import { nftBook } from '#trace/nft/rule-book.ts'
import type { Hook } from '#trace/place.ts'

const families: Readonly<Record<string, readonly (4 | 6)[]>> = { ip: [4], ip6: [6], inet: [4, 6], netdev: [4, 6] }

export function nftStations(machine: Machine): Station[] {
  const { nftables } = machine
  if (nftables === undefined) return []
  return nftables.ruleset.tables
    .filter((table) => !table.dormant && !isReadElsewhere(machine, table))
    .flatMap((table) =>
      table.chains.flatMap(({ name, base }) => {
        const hook = base === undefined ? undefined : hookOf(base.hook)
        if (base === undefined || hook === undefined) return []
        return (families[table.family] ?? []).map((family): Station => ({
          hook,
          family,
          priority: base.priority,
          isNat: base.type === 'nat',
          pass(way, place) {
            if (base.device !== undefined && way.packet.inInterface !== base.device) return [{ way }]
            return walkBaseChain(nftBook(table, place, nftables.sources), name, way, place.budget, {
              drops: base.policy === 'drop',
              step: {
                machine: machine.name,
                place: `${table.family} ${table.name} ${hook}`,
                chain: name,
                rule: `policy ${base.policy}`,
                matched: ['no rule of the chain decided'],
                effect: `dropped by the policy of ${name}`,
                weight: 'act',
              },
            })
          },
        }))
      }),
    )
}

/** Nothing that a trace follows leaves by an egress hook unseen: those only limit and mark. */
const hookOf = (hook: NftHook): Hook | undefined => (hook === 'egress' ? undefined : hook)

const iptablesTables = ['filter', 'nat', 'mangle', 'raw', 'security']

/** Tables of iptables-nft are read from iptables-save where there is one, which says what they mean. */
function isReadElsewhere(machine: Machine, table: NftTable): boolean {
  const family = table.family === 'ip' ? 4 : table.family === 'ip6' ? 6 : undefined
  return (
    iptablesTables.includes(table.name) &&
    machine.iptables.some((dump) => dump.family === family && dump.backend !== 'legacy' && dump.rules.has(table.name))
  )
}
