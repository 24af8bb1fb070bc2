// The rules of one port of a Service: what it adds to the chains that all Services share, and its own chains. Layout,
// order and comments are kube-proxy's of 1.36.
import { chainNames, type ChainNames, endpointChain } from '#proxy/iptables/chain-name.ts'
import { localhostAcceptedCounter, type RenderOptions } from '#proxy/iptables/render-options.ts'
import { comment, host, localInterface, localSource, probability, toPort } from '#proxy/iptables/rule-text.ts'
import type { Endpoint } from '#proxy/plan/endpoints.ts'
import { type PortPlan, reachable, type Way } from '#proxy/plan/plan.ts'

/** Chains that all Services write to, as `table CHAIN`. */
export const sharedChains = [
  'nat KUBE-SERVICES',
  'nat KUBE-NODEPORTS',
  'filter KUBE-SERVICES',
  'filter KUBE-EXTERNAL-SERVICES',
  'filter KUBE-NODEPORTS',
  'filter KUBE-PROXY-FIREWALL',
] as const
export type SharedChain = (typeof sharedChains)[number]

/** Takes rules; each is what stands behind `-A CHAIN `. */
export type RuleSink = {
  /** a rule for a chain of all Services */
  share(chain: SharedChain, rule: string): void
  /** a chain of this port alone, in table nat */
  own(chain: string, rules: readonly string[]): void
}

/** What leads to the port, and what refuses it: the rules in the chains of all Services. */
export function renderFronts(plan: PortPlan, options: RenderOptions, sink: Pick<RuleSink, 'share'>): void {
  const { name, protocol, clusterIp, port, internal } = plan
  const chains = chainNames(name, protocol)
  if (internal.verdict === 'balance')
    sink.share(
      'nat KUBE-SERVICES',
      `${toPort(clusterIp, protocol, port, `${name} cluster IP`)} -j ${chains[internal.policy]}`,
    )
  else
    sink.share(
      'filter KUBE-SERVICES',
      `${toPort(clusterIp, protocol, port, refusal(plan, internal))} -j ${target(internal, options)}`,
    )
  for (const front of plan.fronts) {
    if (front.kind === 'node-port') renderNodePort(plan, front.port, chains, options, sink)
    else renderAddress(plan, front, chains, options, sink)
  }
  if (plan.healthCheckNodePort !== 0)
    sink.share(
      'filter KUBE-NODEPORTS',
      `-p tcp ${comment(`${name} health check node port`)} -m tcp --dport ${plan.healthCheckNodePort} -j ACCEPT`,
    )
}

function renderAddress(
  plan: PortPlan,
  front: { readonly kind: 'external-ip' | 'load-balancer'; readonly address: string },
  chains: ChainNames,
  options: RenderOptions,
  sink: Pick<RuleSink, 'share'>,
): void {
  const { name, protocol, port, external } = plan
  const guarded = front.kind === 'load-balancer' && usesFirewall(plan)
  const what = front.kind === 'external-ip' ? 'external IP' : 'loadbalancer IP'
  const to = (text: string) => toPort(front.address, protocol, port, text)
  if (external.verdict !== 'reject')
    sink.share('nat KUBE-SERVICES', `${to(`${name} ${what}`)} -j ${guarded ? chains.firewall : chains.external}`)
  if (guarded)
    sink.share('filter KUBE-PROXY-FIREWALL', `${to(`${name} traffic not accepted by ${chains.firewall}`)} -j DROP`)
  if (external.verdict !== 'balance')
    sink.share('filter KUBE-EXTERNAL-SERVICES', `${to(refusal(plan, external))} -j ${target(external, options)}`)
}

function renderNodePort(
  { name, protocol, external, ...plan }: PortPlan,
  nodePort: number,
  chains: ChainNames,
  options: RenderOptions,
  sink: Pick<RuleSink, 'share'>,
): void {
  const match = `-m ${protocol} --dport ${nodePort}`
  if (external.verdict !== 'reject') {
    const rule = `-p ${protocol} ${comment(name)} ${match}`
    if (options.localhostNodePorts && options.counters && options.family === 4)
      sink.share(
        'nat KUBE-NODEPORTS',
        `-d 127.0.0.0/8 ${rule} -m nfacct --nfacct-name  ${localhostAcceptedCounter} -j ${chains.external}`,
      )
    sink.share('nat KUBE-NODEPORTS', `${rule} -j ${chains.external}`)
  }
  if (external.verdict !== 'balance') {
    const why = comment(refusal({ name, ...plan }, external))
    const rule = `-p ${protocol} ${why} -m addrtype --dst-type LOCAL ${match}`
    sink.share('filter KUBE-EXTERNAL-SERVICES', `${rule} -j ${target(external, options)}`)
  }
}

const refusal = ({ name }: Pick<PortPlan, 'name'>, { verdict }: Way) =>
  `${name} has no ${verdict === 'drop' ? 'local ' : ''}endpoints`

const target = ({ verdict }: Way, { family }: RenderOptions) =>
  verdict === 'drop' ? 'DROP' : `REJECT --reject-with ${family === 4 ? 'icmp' : 'icmp6'}-port-unreachable`

const usesFirewall = ({ sources, external }: PortPlan) => sources !== undefined && external.verdict !== 'reject'

/** The chains of the port: external traffic, source ranges, balancing by policy, endpoints. */
export function renderChains(plan: PortPlan, options: RenderOptions, sink: Pick<RuleSink, 'own'>): void {
  const { name, protocol, internal } = plan
  if (internal.verdict === 'reject') return
  const chains = chainNames(name, protocol)
  if (plan.fronts.length > 0) sink.own(chains.external, externalRules(plan, chains, options))
  if (usesFirewall(plan)) sink.own(chains.firewall, firewallRules(plan, chains))
  const endpointChains = new Map(
    reachable(plan).map(({ address }) => [address, endpointChain(name, protocol, address)] as const),
  )
  for (const policy of ['cluster', 'local'] as const) {
    if (plan[policy].length === 0) continue
    const first = internal.policy === policy ? markRule(plan, options) : []
    sink.own(chains[policy], [...first, ...balanceRules(plan, plan[policy], endpointChains, options)])
  }
  for (const endpoint of reachable(plan))
    sink.own(endpointChains.get(endpoint.address)!, endpointRules(plan, endpoint, endpointChains, options))
}

/** What comes to the cluster IP from outside the pods' network has to come back the same way. */
function markRule({ name, protocol, clusterIp, port }: PortPlan, { masqueradeAll, local }: RenderOptions): string[] {
  if (!masqueradeAll && local.kind === 'none') return []
  const [source, inInterface] = masqueradeAll ? ['', ''] : [localSource(local, '! '), localInterface(local, '! ')]
  const why = comment(`${name} cluster IP`)
  const rule = `${source}-d ${host(clusterIp)} ${inInterface}-p ${protocol} ${why} -m ${protocol} --dport ${port}`
  return [`${rule} -j KUBE-MARK-MASQ`]
}

function externalRules({ name, external }: PortPlan, chains: ChainNames, { local }: RenderOptions): string[] {
  const why = (what: string) => comment(`${what} for ${name} external destinations`)
  if (external.policy === 'cluster') return [`${why('masquerade traffic')} -j KUBE-MARK-MASQ`, `-j ${chains.cluster}`]
  const pods = `${localSource(local, '')}${localInterface(local, '')}${why('pod traffic')} -j ${chains.cluster}`
  return [
    ...(local.kind === 'none' ? [] : [pods]),
    `${why('masquerade LOCAL traffic')} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ`,
    `${why('route LOCAL traffic')} -m addrtype --src-type LOCAL -j ${chains.cluster}`,
    ...(external.verdict === 'balance' ? [`-j ${chains.local}`] : []),
  ]
}

/** Whoever is not let through here was not translated either, and KUBE-PROXY-FIREWALL drops it. */
function firewallRules({ name, sources, fronts }: PortPlan, chains: ChainNames): string[] {
  const balancers = fronts.flatMap((front) => (front.kind === 'load-balancer' ? host(front.address) : []))
  const from = [...(sources?.ranges ?? []), ...(sources?.includeNode ? balancers : [])]
  return [
    ...from.map((range) => `-s ${range} ${comment(`${name} loadbalancer IP`)} -j ${chains.external}`),
    comment(`other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL`),
  ]
}

function balanceRules(
  { name, affinitySeconds }: PortPlan,
  endpoints: readonly Endpoint[],
  chains: ReadonlyMap<string, string>,
  { large, family }: RenderOptions,
): string[] {
  const why = ({ address }: Endpoint) => (large ? '' : `${comment(`${name} -> ${address}`)} `)
  const remembered = (endpoint: Endpoint) => {
    const chain = chains.get(endpoint.address)!
    const recent = `--rcheck --seconds ${affinitySeconds} --reap --name ${chain} ${recentMask[family]}`
    return `${why(endpoint)}-m recent ${recent} -j ${chain}`
  }
  const chosen = (endpoint: Endpoint, i: number) => {
    const left = endpoints.length - i
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${probability(left)} `
    return `${why(endpoint)}${chance}-j ${chains.get(endpoint.address)!}`
  }
  return [...(affinitySeconds === 0 ? [] : endpoints.map(remembered)), ...endpoints.map(chosen)]
}

/** A pod that reaches itself through its Service must see the node's address, or it would answer itself directly. */
function endpointRules(
  { name, protocol, affinitySeconds }: PortPlan,
  { address, ip }: Endpoint,
  chains: ReadonlyMap<string, string>,
  { large, family }: RenderOptions,
): string[] {
  const why = large ? '' : `${comment(name)} `
  const remember = affinitySeconds === 0 ? '' : `-m recent --set --name ${chains.get(address)!} ${recentMask[family]} `
  return [
    `-s ${host(ip)} ${why}-j KUBE-MARK-MASQ`,
    `-p ${protocol} ${why}${remember}-m ${protocol} -j DNAT --to-destination ${address}`,
  ]
}

const recentMask = {
  4: '--mask 255.255.255.255 --rsource',
  6: '--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource',
} as const
