// Two programs, or two generations of one, that have rules for Services at once. The one whose rules do what the objects
// demand is the one that runs; the others are left over.

import { type Case } from '#doctor/checks/check.ts'
import { compare } from '#doctor/compare/compare.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { onNode, type Remedy, script } from '#doctor/remedy.ts'
import type { NodeView, View } from '#doctor/view.ts'
import type { IptablesDump, Machine } from '#trace/machine.ts'

export const checkLeftovers = ({ view }: Case): readonly Finding[] =>
  view.nodes.flatMap((node) => [...generations(view, node), ...backends(view, node), ...toolVersion(node)])

type Generation = {
  readonly name: string
  /** `120 chains KUBE-SVC-* in nat` */
  readonly seen: string
  /** the machine with its rules alone */
  readonly alone: Machine
  /** commands that take them away */
  readonly removal: string
}

const proxyTables = ['kube-proxy', 'fairway-proxy']
const emptied = (tools: readonly string[]): string =>
  script(tools.map((tool) => `${tool}-save | grep -v KUBE- | ${tool}-restore`).join('; '))

/** In IPVS mode a few chains of iptables belong to it, but none for each Service. */
function generationsOf({ machine }: NodeView): readonly Generation[] {
  const chains = machine.iptables
    .flatMap(({ rules }) => [...(rules.get('nat')?.keys() ?? [])])
    .filter((chain) => chain.startsWith('KUBE-SVC-'))
  const tables = machine.nftables?.ruleset.tables ?? []
  const { virtualServers, ...withoutIpvs } = machine
  const only = (kept: string | undefined): Machine => {
    const { nftables, ...rest } = withoutIpvs
    const ruleset = nftables?.ruleset
    if (ruleset === undefined) return rest
    const own = ruleset.tables.filter(({ name }) => name === kept || !proxyTables.includes(name))
    return { ...rest, nftables: { ...nftables, ruleset: { ...ruleset, tables: own } } }
  }
  return [
    ...(chains.length > 0
      ? [
          {
            name: 'iptables',
            seen: `${chains.length} chains KUBE-SVC-* in nat`,
            alone: only(undefined),
            removal: emptied(['iptables', 'ip6tables']),
          },
        ]
      : []),
    ...proxyTables
      .filter((table) =>
        tables.some(({ name, chains: all }) => name === table && all.some(({ rules }) => rules.length > 0)),
      )
      .map((table) => ({
        name: `nftables (${table === 'kube-proxy' ? 'kube-proxy' : 'Fairway'})`,
        seen: `table ${table}`,
        alone: { ...only(table), iptables: [] },
        removal: script(
          [...new Set(tables.filter(({ name }) => name === table).map(({ family }) => family))]
            .map((family) => `nft delete table ${family} ${table}`)
            .join('; '),
        ),
      })),
    ...((virtualServers?.length ?? 0) > 0
      ? [
          {
            name: 'IPVS',
            seen: `${virtualServers!.length} virtual servers`,
            alone: { ...only(undefined), virtualServers: virtualServers! },
            removal: script('ipvsadm -C; ip link del kube-ipvs0'),
          },
        ]
      : []),
  ]
}

function generations(view: View, node: NodeView): readonly Finding[] {
  const found = generationsOf(node)
  if (found.length < 2) return []
  const { name } = node
  return [
    finding({
      code: 'LeftoverRules',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name} has rules for Services of ${found.map((one) => one.name).join(' and of ')}`,
      evidence: found.map(({ name: what, seen }) => `${name}: ${what}: ${seen}`),
      consequence:
        'whichever comes first decides: what the old ones say is never corrected, so that connections go to pods that have ended, or are refused, the more the longer it lasts',
      remedy: removals(view, node, found),
    }),
  ]
}

/** Of all but the one that does best what the objects demand. */
function removals(view: View, node: NodeView, found: readonly Generation[]): readonly Remedy[] {
  const scored = found.map((one) => ({ one, wrong: differencesOf(view, { ...node, machine: one.alone }) }))
  const least = Math.min(...scored.map(({ wrong }) => wrong))
  const isClear = scored.filter(({ wrong }) => wrong === least).length === 1
  if (isClear)
    return scored.filter(({ wrong }) => wrong > least).map(({ one: { removal } }) => onNode(node.name, removal))
  // Each does the same: only who set the cluster up knows which of the programs runs.
  return [
    'kubectl -n kube-system get configmap kube-proxy -o yaml   # mode: the one that stays',
    ...found.map(({ name, removal }) => `# if ${name} is left over, on ${node.name}: ${removal}`),
  ]
}

const differencesOf = (view: View, node: NodeView): number => compare({ ...view, nodes: [node] }).differences.length

const hasServices = ({ rules }: IptablesDump): boolean =>
  [...rules.values()].some((chains) => [...chains.keys()].some((chain) => chain.startsWith('KUBE-SERVICES')))

function backends(view: View, node: NodeView): readonly Finding[] {
  const { name, machine } = node
  const used = machine.iptables.filter(hasServices)
  const kinds = ['legacy', 'nft'] as const
  if (!kinds.every((kind) => used.some(({ backend }) => backend === kind))) return []
  const found = kinds.map((kind): Generation => ({
    name: `iptables-${kind}`,
    seen: '',
    alone: { ...machine, iptables: machine.iptables.filter((dump) => !hasServices(dump) || dump.backend === kind) },
    removal: emptied([`iptables-${kind}`, `ip6tables-${kind}`]),
  }))
  return [
    finding({
      code: 'TwoBackends',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name} has rules for Services in both back ends of iptables`,
      evidence: used.map(
        ({ backend, family, rules }) =>
          `${name}: iptables (${backend}, IPv${family}) has KUBE-SERVICES, in ${[...rules.keys()].join(', ')}`,
      ),
      consequence:
        'packets meet both; a tool of one does not show the rules of the other, and those of the proxy that is gone are never corrected',
      remedy: removals(view, node, found),
    }),
  ]
}

/** 1.8.8 writes rules that older and newer ones misread (kubernetes#112477). */
function toolVersion({ name, texts }: NodeView): readonly Finding[] {
  const [, version] = [...texts.values()].flatMap(
    (text) => /^# Generated by ip6?tables-save v(1\.8\.8)\b/m.exec(text) ?? [],
  )
  if (version === undefined) return []
  return [
    finding({
      code: 'ToolVersion',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: iptables 1.8.8 wrote or read these rules`,
      evidence: [`${name}: # Generated by iptables-save v${version}`],
      consequence:
        'rules that mark packets for masquerading or dropping may be misread as rules for all packets, where two versions of the program meet on one node',
      remedy: [
        onNode(name, 'apt-get install --only-upgrade iptables', '1.8.9 or later, there and in the image of the proxy'),
      ],
    }),
  ]
}
