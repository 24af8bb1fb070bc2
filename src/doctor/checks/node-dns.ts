// A DNS server on each node has taken the address that pods ask, and answers there no more: nothing else gets their questions.

import type { Pod } from '#api/core.ts'
import { dnsPort, resolvConfOf } from '#doctor/dns/cluster-dns.ts'
import type { Case } from '#doctor/checks/check.ts'
import { pathSamples } from '#doctor/checks/paths.ts'
import { isPodReady } from '#api/pod-state.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { fateOf } from '#doctor/fate.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { onNode, type Remedy } from '#doctor/remedy.ts'
import { keyOf, type View } from '#doctor/view.ts'
import type { Ip } from '#lib/ip.ts'
import type { Machine } from '#trace/machine.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import { type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, podIps, podName, standingOf } from '#trace/world.ts'

export const checkNodeDns = ({ view }: Case): readonly Finding[] =>
  pathSamples(view).flatMap((pod) => ofNode(view, pod))

type Dead = { readonly server: Ip; readonly device: string | undefined; readonly way: Traced }

/** `pod` stands for all of its node. */
function ofNode(view: View, pod: Pod): readonly Finding[] {
  const node = pod.spec?.nodeName ?? ''
  const machine = machineNamed(view.world, node)
  const file = resolvConfOf(view, pod)
  if (machine === undefined || file === undefined) return []
  const dead = file.servers.flatMap((server) => deadAt(view, pod, machine, server))
  const [first] = dead
  if (first === undefined) return []
  const own = serversOn(view, node)
  return [
    finding({
      code: 'NodeDnsDown',
      about: `node/${node}`,
      nodes: [node],
      summary: `${node}: nobody answers at ${someOf(dead.map(({ server }) => server))}, where pods of the node ask for names`,
      evidence: [
        `${file.from}: ${file.servers.map((ip) => `nameserver ${ip}`).join(', ')}`,
        ...dead.map(({ server, device }) =>
          device === undefined ? `${node}: no interface has ${server}` : `${node}: ${device} has ${server}`,
        ),
        ...own.map((one) => `pod ${keyOf(one)}: ${isPodReady(one) ? 'ready' : 'not ready'}`),
        ...dead.slice(0, 2).map(({ way }) => `from pod ${podName(pod)}: ${renderWay(way)}`),
      ],
      consequence:
        dead.length === file.servers.length
          ? `100% of lookups of pods on ${node} fail; connections by address go on`
          : `${percentOf(dead.length / file.servers.length)} of the servers of pods on ${node} do not answer: lookups take seconds`,
      remedy: [...own.map(anew), ...(own.length > 0 ? [] : withoutServer(node, dead))],
    }),
  ]
}

/** Only servers of the node itself: what becomes of questions to the Service, its rules say. */
function deadAt(view: View, pod: Pod, machine: Machine, server: Ip): readonly Dead[] {
  const source = podIps(pod).find((ip) => ip.includes(':') === server.includes(':'))
  const device = machine.links?.find(
    ({ name, addresses }) => name !== 'kube-ipvs0' && addresses?.some(({ ip }) => ip === server),
  )?.name
  const isOwn = device !== undefined || (machine.links !== undefined && server.startsWith('169.254.'))
  if (source === undefined || !isOwn) return []
  const from = standingOf(view.world, source)
  if (from.kind === 'outside') return []
  const packet = firstPacket({ protocol: 'udp', source, destination: server, destinationPort: dnsPort })
  const ways = traceWorld(view.world, { packet, from })
  const fails = ways.filter((way) => isDead(view, way, device === undefined))
  return ways.length > 0 && fails.length === ways.length ? [{ server, device, way: fails[0]! }] : []
}

/** Link-local addresses lead nowhere beyond. */
const isDead = (view: View, way: Traced, isNowhere: boolean): boolean =>
  fateOf(view, way) === 'fails' || (isNowhere && way.outcome.kind === 'left' && way.conditions.length === 0)

const serversOn = ({ pods = [] }: View, node: string): readonly Pod[] =>
  pods.filter(
    ({ metadata, spec }) =>
      spec?.nodeName === node && spec.hostNetwork === true && /node-?local-?dns/.test(metadata?.name ?? ''),
  )

const anew = (pod: Pod): string => `kubectl delete pod ${inNamespace(keyOf(pod))}   # its DaemonSet makes it anew`

const withoutServer = (node: string, dead: readonly Dead[]): readonly Remedy[] => [
  `kubectl -n kube-system get daemonset,pods -l k8s-app=node-local-dns -o wide   # why is there none on ${node}? Taints, node selectors`,
  ...dead.flatMap(({ device }) =>
    device === undefined
      ? []
      : [onNode(node, `ip link delete ${device}`, 'where none shall be; and its rules with NOTRACK')],
  ),
]
