// effect: nftables of the fabric's router
// Cuts hosts off from each other: the bridges of the fabric drop what one sends to the other, be it for the other's own
// address (tunnels) or only by way of it (routes of host-gw). Everyone else still reaches both.
import { UserError } from '#daemon/error.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { compare, payload, verdict } from '#kernel/nftables/expression.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { encodeMac } from '#kernel/route/mac.ts'
import { parseIp } from '#lib/ip.ts'
import { type ClusterPlan, type Host, hostNamed, planCluster } from '#lab/plan.ts'

const table = 'fairway-partition'
const chain = 'prerouting'

/** Two names, in the order of the alphabet. */
export type Cut = readonly [string, string]

/** Throws a UserError where one of the names is no host's. */
export function cutBetween(plan: ClusterPlan, a: string, b: string): Cut {
  const [first, second] = [a, b].map((name) => requireHost(plan, name).name) as [string, string]
  if (first === second)
    throw new UserError(`${first} cannot be cut off from itself`, { code: 'BadArgument', exitCode: 2 })
  return first < second ? [first, second] : [second, first]
}

/** Who is cut off from whom. The rules are the record: each names its pair. Who has left the cluster is left out. */
export function listCuts(plan: ClusterPlan): readonly Cut[] {
  const { tables } = readRuleset({ netns: plan.router.netns, table })
  const pairs = tables.flatMap(({ chains }) => chains.flatMap(({ rules }) => rules.map(({ comment }) => comment)))
  return [...new Set(pairs)].flatMap((pair): Cut[] => {
    const [a = '', b = ''] = pair.split(' | ')
    return hostNamed(withPower(plan), a) && hostNamed(withPower(plan), b) ? [[a, b]] : []
  })
}

/** Makes these the only cuts, in one step. */
export function applyCuts(plan: ClusterPlan, cuts: readonly Cut[]): void {
  using nftables = openNftables('bridge', plan.router.netns)
  const batch = new NftBatch('bridge', table)
  batch.addTable('')
  batch.deleteTable()
  if (cuts.length > 0) {
    batch.addTable('who is cut off from whom')
    batch.addChain(chain, { base: { type: 'filter', hook: 'prerouting', priority: -300 } })
    for (const cut of cuts) {
      const [a, b] = cut.map((name) => requireHost(plan, name)) as [Host, Host]
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const)
        for (const rule of dropRules(from, to)) batch.addRule(chain, rule, `${a.name} | ${b.name}`)
    }
  }
  nftables.commit(batch)
}

const dropRules = (from: Host, to: Host) => [
  // Ethernet has the destination first.
  [
    payload(0, 'link', 0, 6),
    compare(0, true, encodeMac(to.mac)),
    payload(0, 'link', 6, 6),
    compare(0, true, encodeMac(from.mac)),
    verdict({ kind: 'drop' }),
  ],
  [
    payload(0, 'link', 12, 2),
    compare(0, true, Uint8Array.of(0x08, 0x00)),
    payload(0, 'network', 12, 4),
    compare(0, true, parseIp(from.ip)!),
    payload(0, 'network', 16, 4),
    compare(0, true, parseIp(to.ip)!),
    verdict({ kind: 'drop' }),
  ],
]

/** A node without power has its addresses still, and is cut off when it comes back. */
const withPower = ({ cluster }: ClusterPlan): ClusterPlan =>
  planCluster({ ...cluster, members: cluster.members.map((member) => ({ ...member, power: 'on' })) })

function requireHost(plan: ClusterPlan, text: string): Host {
  const { hosts } = withPower(plan)
  const host = hosts.find(({ name }) => name === text.replace(/^node\//, ''))
  if (host !== undefined) return host
  throw new UserError(`there is no "${text}"`, {
    code: 'NoSuchPlace',
    remedy: `there are: ${hosts.map(({ name }) => name).join(', ')}`,
  })
}
