// The base chains of nftables as stations at the hooks.

import type { NftTable } from '#kernel/nftables/ruleset.ts'
import { walkBaseChain } from '#trace/chain/chain.ts'
import type { Station } from '#trace/hooks.ts'
import { type Machine, perMachine } from '#trace/machine.ts'
import { nftBook } from '#trace/nft/rule-book.ts'

const families: Readonly<Record<string, readonly (4 | 6)[]>> = {
  ip: [4],
  ip6: [6],
  inet: [4, 6],
  netdev: [4, 6],
  bridge: [4, 6],
}

export const nftStations = (machine: Machine): Station[] => stationsOf(machine, (family) => family !== 'bridge')

/** What looks at the frames of its bridges. */
export const bridgeStations = perMachine((machine): readonly Station[] =>
  stationsOf(machine, (family) => family === 'bridge'),
)

function stationsOf(machine: Machine, isWanted: (family: string) => boolean): Station[] {
  const { nftables } = machine
  if (nftables === undefined) return []
  return nftables.ruleset.tables
    .filter((table) => isWanted(table.family) && !table.dormant && !isReadElsewhere(machine, table))
    .flatMap((table) =>
      table.chains.flatMap(({ name, base }) => {
        if (base === undefined) return []
        const { hook } = base
        const devices = [base.device, ...(base.moreDevices ?? [])]
        return (families[table.family] ?? []).map((family): Station => ({
          hook,
          family,
          priority: base.priority,
          isNat: base.type === 'nat',
          pass(way, place) {
            const at = hook === 'egress' ? way.packet.outInterface : way.packet.inInterface
            if (base.device !== undefined && !devices.includes(at)) return [{ way }]
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

const iptablesTables = ['filter', 'nat', 'mangle', 'raw', 'security']

/** Tables of iptables-nft are read from iptables-save where there is one, which says what they mean. */
function isReadElsewhere(machine: Machine, table: NftTable): boolean {
  const family = table.family === 'ip' ? 4 : table.family === 'ip6' ? 6 : undefined
  return (
    iptablesTables.includes(table.name) &&
    machine.iptables.some((dump) => dump.family === family && dump.backend !== 'legacy' && dump.rules.has(table.name))
  )
}
