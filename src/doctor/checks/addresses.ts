// Addresses and ranges that two want at once.

import { onNode } from '#doctor/remedy.ts'
import { type Cidr, formatCidr, overlaps, parseCidr } from '#lib/cidr.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type NodeView, type View } from '#doctor/view.ts'
import { canonicalIp } from '#lib/ip.ts'

export const checkAddresses = (it: Case): readonly Finding[] => [...takenByIpvs(it), ...podRanges(it.view)]

/** IPVS makes every external address the node's own, on each node. */
function takenByIpvs(it: Case): readonly Finding[] {
  const { view } = it
  const carriers = view.nodes.filter(({ machine }) => (machine.virtualServers?.length ?? 0) > 0)
  const owners = new Map(view.nodes.flatMap(({ name, ips }) => ips.map((ip) => [ip, name] as const)))
  return servicesOf(it).flatMap((service) => {
    const wanted = [
      ...(service.spec?.externalIPs ?? []),
      ...(service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
    ]
    return wanted
      .flatMap((text) => canonicalIp(text) ?? [])
      .flatMap((ip): readonly Finding[] => {
        const owner = owners.get(ip)
        const bound = carriers.filter(({ machine }) =>
          machine.links?.some(
            ({ name, addresses }) => name === 'kube-ipvs0' && addresses?.some((one) => one.ip === ip),
          ),
        )
        if (owner === undefined || bound.length === 0) return []
        const key = keyOf(service)
        return [
          finding({
            code: 'ExternalIpIsNode',
            about: `svc/${key}`,
            services: [key],
            nodes: bound.map(({ name }) => name),
            summary: `${key} has the external address ${ip}, which is ${owner}'s own: IPVS has taken it on ${someOf(bound.map(({ name }) => name))}`,
            evidence: bound.slice(0, 3).map(({ name }) => `${name}: kube-ipvs0 has ${ip}`),
            consequence: `${someOf(bound.map(({ name }) => name))} take packets for ${owner} for their own: ${owner} is unreachable from there, with its kubelet, and with the API server if it runs there`,
            remedy: [
              `kubectl patch service ${inNamespace(key)} --type=json -p '[{"op":"remove","path":"/spec/externalIPs"}]'`,
              ...bound.map(({ name }) =>
                onNode(name, `ip address del ${ip}/${ip.includes(':') ? 128 : 32} dev kube-ipvs0`),
              ),
            ],
          }),
        ]
      })
  })
}

/** Ranges of pods that another node, Services, or the network of the nodes have too. */
function podRanges(view: View): readonly Finding[] {
  const all = view.nodes.flatMap((node) => node.podCidrs.map((range) => ({ node, range })))
  const found: Finding[] = []
  const clash = (node: NodeView, range: Cidr, what: string, evidence: string) =>
    found.push(
      finding({
        code: 'RangesOverlap',
        about: `node/${node.name}`,
        nodes: [node.name],
        summary: `the pods of ${node.name} (${formatCidr(range)}) have addresses of ${what}`,
        evidence: [`node ${node.name}: spec.podCIDR: ${formatCidr(range)}`, evidence],
        consequence: 'packets for one go to the other: connections to either time out or are answered by a stranger',
        remedy: [
          'kubectl get nodes -o custom-columns=NODE:.metadata.name,PODS:.spec.podCIDRs,ADDRESS:.status.addresses[0].address',
          '# give pods, Services and the network of the nodes ranges of their own: --cluster-cidr, --service-cluster-ip-range; then join the node anew',
        ],
      }),
    )
  for (const [i, { node, range }] of all.entries()) {
    const twin = all.slice(0, i).find((other) => other.node !== node && overlaps(other.range, range))
    if (twin !== undefined)
      clash(node, range, `pods of ${twin.node.name}`, `node ${twin.node.name}: spec.podCIDR: ${formatCidr(twin.range)}`)
    const service = (view.services ?? []).find(({ spec }) => {
      const ip = parseCidr(`${spec?.clusterIP ?? ''}/${(spec?.clusterIP ?? '').includes(':') ? 128 : 32}`)
      return ip !== undefined && overlaps(range, ip)
    })
    if (service !== undefined)
      clash(node, range, 'Services', `service ${keyOf(service)}: clusterIP: ${service.spec?.clusterIP}`)
    const neighbour = view.nodes.find(({ ips }) =>
      ips.some((ip) => overlaps(range, parseCidr(`${ip}/${ip.includes(':') ? 128 : 32}`)!) && !isBridgeOf(node, ip)),
    )
    if (neighbour !== undefined && neighbour.node !== undefined)
      clash(node, range, 'nodes', `node ${neighbour.name}: ${someOf(neighbour.ips)}`)
  }
  return found
}

const isBridgeOf = ({ machine }: NodeView, ip: string) =>
  machine.links?.some(({ kind, addresses }) => kind === 'bridge' && addresses?.some((one) => one.ip === ip)) ?? false
