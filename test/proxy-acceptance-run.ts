// Runs the scenarios of proxy-acceptance.ts in some modes, as tests.
import { test } from 'node:test'
import { allowLocalhostNodePorts } from '#proxy/kernel-settings.ts'
import { need } from '#test/need.ts'
import { scenarios, withAsk } from '#test/proxy-acceptance.ts'
import { ProxyCluster } from '#test/proxy-cluster.ts'
import { modes } from '#test/proxy-modes.ts'

const needed = { root: true, programs: ['nft', 'iptables', 'ip6tables'] }
const skipOf = (mode: string) => need({ ...needed, ...(mode === 'ipvs' && { files: ['/proc/sys/net/ipv4/vs'] }) })

/** `names`: of modes in proxy-modes.ts. One network serves all scenarios of a mode and a family. */
export function acceptance(names: readonly string[]): void {
  for (const mode of modes.filter(({ name }) => names.includes(name)))
    for (const family of [4, 6] as const)
      test(`acceptance, ${mode.name}, IPv${family}`, { skip: skipOf(mode.name) }, async (t) => {
        await using cluster = await ProxyCluster.start(mode)
        for (const node of ['node1', 'node2'] as const) allowLocalhostNodePorts(cluster.net[node].netns)
        for (const { name, run } of scenarios)
          await t.test(name, async () => {
            await run(withAsk(cluster, family), family)
            await cluster.clear()
          })
      })
}

/** The table of the README. */
export function acceptanceTable(): string {
  const rows = scenarios.map(
    ({ name, stands }) => `| ${name} | ${stands.join('; ')} | IPv4, IPv6 | IPv4, IPv6 | IPv4, IPv6 |`,
  )
  return [
    "| what | Kubernetes' end-to-end tests | nftables | iptables, both back ends | IPVS |",
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}
