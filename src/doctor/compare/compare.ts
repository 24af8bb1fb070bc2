// What the rules of every node do with every address of every Service, against what the objects demand.

import type { Service } from '#api/core.ts'
import { hasSelector, specOf } from '#api/service/traits.ts'
import { ask } from '#doctor/compare/asker.ts'
import { type Difference, differences } from '#doctor/compare/difference.ts'
import { observe } from '#doctor/compare/observe.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { admits, type Asker, type Expected, expectAt, type Front, frontsOf } from '#doctor/expect/expect.ts'
import { keyOf, type NodeView, podsByIp, type View } from '#doctor/view.ts'
import { listensAt } from '#kernel/dump/sockets.ts'

export type Comparison = {
  readonly differences: readonly Difference[]
  /** how many addresses were asked on each node for which somebody should answer */
  readonly asked: ReadonlyMap<string, number>
  readonly fronts: readonly { readonly service: Service; readonly front: Front }[]
}

/** Nodes of which rules of some kind are known; a dump of iptables is of one family. */
export const knowsRules = ({ machine }: NodeView, family?: 4 | 6): boolean =>
  machine.iptables.some((dump) => family === undefined || dump.family === family) ||
  machine.nftables !== undefined ||
  machine.virtualServers !== undefined

/** `only`: of one Service, `namespace/name`. Nothing where there are no Services or no EndpointSlices to compare with. */
export function compare(view: View, only?: string): Comparison {
  const slices = slicesByService(view.slices ?? [])
  const fronts = (view.slices === undefined ? [] : (view.services ?? []))
    .filter((service) => only === undefined || keyOf(service) === only)
    .filter(({ metadata }) => metadata?.labels?.['service.kubernetes.io/service-proxy-name'] === undefined)
    .flatMap((service) => frontsOf(service, slices.get(keyOf(service)) ?? []).map((front) => ({ service, front })))
  const pods = podsByIp(view)
  const found: Difference[] = []
  const asked = new Map<string, number>()
  // Without EndpointSlices nobody knows who is behind a Service that has no selector.
  const certain = fronts.filter(({ service }) => view.slicesFrom !== 'pods' || hasSelector(specOf(service)))
  for (const node of view.nodes.filter((one) => knowsRules(one)))
    for (const { service, front } of certain)
      for (const asker of askersOf(front)) {
        const question = ask(node, front, asker)
        if (question === undefined || !knowsRules(node, front.family) || servesItself(node, front)) continue
        const expected: Expected = admits(service, front, question.packet.source)
          ? expectAt(service, front, node, asker)
          : { kind: 'shut-out' }
        const observed = observe(
          node.machine,
          question.packet,
          question.entry,
          node.ips.includes(question.packet.destination),
        )
        if (expected.kind === 'balance') asked.set(node.name, (asked.get(node.name) ?? 0) + 1)
        found.push(...differences(expected, observed, { front, node: node.name, asker }, (ip) => pods.has(ip)))
      }
  return { differences: found, asked, fronts }
}

/** Fronts for outsiders are asked from there, cluster IPs from a pod. */
const askersOf = ({ kind }: Front): readonly Asker[] => (kind === 'cluster-ip' ? ['pod'] : ['outside'])

/** A server on the node that has taken the Service's own address, as node-local DNS does: no rule is asked. */
const servesItself = ({ machine, sockets }: NodeView, { ip, protocol, port }: Front): boolean =>
  ip !== undefined &&
  sockets !== undefined &&
  machine.links?.some(
    ({ name, addresses }) => name !== 'kube-ipvs0' && addresses?.some((address) => address.ip === ip),
  ) === true &&
  listensAt(sockets, protocol, port, ip) === 'yes'
