// Node ports: processes and connections of the node that want the same port, and clients that ask at a loopback address.

import { knowsRules } from '#doctor/compare/compare.ts'
import { onNode } from '#doctor/remedy.ts'
import type { Service } from '#api/core.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type NodeView, type View } from '#doctor/view.ts'
import { isLoopback } from '#lib/ip.ts'
import { renderEnd } from '#trace/packet.ts'

type NodePort = { readonly service: Service; readonly key: string; readonly port: number; readonly protocol: string }

export const checkNodePorts = (it: Case): readonly Finding[] =>
  servicesOf(it)
    .flatMap((service) =>
      (service.spec?.ports ?? []).flatMap(({ nodePort, protocol = 'TCP' }) =>
        nodePort ? [{ service, key: keyOf(service), port: nodePort, protocol: protocol.toLowerCase() }] : [],
      ),
    )
    .flatMap((port) => [...taken(it, port), ...inLocalRange(it, port), ...atLoopback(it, port)])

/** A process that had the port first keeps it for connections of the node itself, and for policy Local elsewhere. */
function taken({ view }: Case, nodePort: NodePort): readonly Finding[] {
  const { key, port, protocol } = nodePort
  const nodes = view.nodes.filter(
    (node) =>
      !proxyHoldsPorts(node) && node.sockets?.some((socket) => socket.protocol === protocol && socket.port === port),
  )
  if (nodes.length === 0) return []
  const names = nodes.map(({ name }) => name)
  return [
    finding({
      code: 'NodePortTaken',
      about: `svc/${key}`,
      services: [key],
      nodes: names,
      summary: `a process of ${someOf(names)} listens at ${port}/${protocol}, the node port of ${key}`,
      evidence: names.map((name) => `${name}: ss -lntu shows ${port}/${protocol}`),
      consequence: `the process gets no connection from outside any more, since rules for node ports come first; connections to 127.0.0.1:${port} get the process, not the Service`,
      remedy: [
        moveTo(view, nodePort),
        ...names.map((name) =>
          onNode(name, `ss -lntup 'sport = :${port}'`, 'or let this process listen at another port'),
        ),
      ],
    }),
  ]
}

/** Until 1.25 kube-proxy listened at node ports itself, to keep them from others. */
function proxyHoldsPorts({ node }: NodeView): boolean {
  const [, minor] = /^v1\.(\d+)\./.exec(node?.status?.nodeInfo?.kubeletVersion ?? '') ?? []
  return minor !== undefined && Number(minor) <= 25
}

const settingOf = ({ machine }: NodeView, name: string) => machine.sysctls?.get(`net.ipv4.${name}`)

/** A connection that the node opens may have the port when the Service comes, or take what belongs to it. */
function inLocalRange({ view }: Case, nodePort: NodePort): readonly Finding[] {
  const { key, port, protocol } = nodePort
  const inside = view.nodes.flatMap((node) => {
    const [first = 0, last = 0] = (settingOf(node, 'ip_local_port_range') ?? '').split(/\s+/).map(Number)
    return port >= first && port <= last && !isReserved(settingOf(node, 'ip_local_reserved_ports') ?? '', port)
      ? [{ name: node.name, range: `${first} to ${last}` }]
      : []
  })
  if (inside.length === 0) return []
  const names = inside.map(({ name }) => name)
  return [
    finding({
      code: 'NodePortInLocalRange',
      about: `svc/${key}`,
      services: [key],
      nodes: names,
      summary: `node port ${port}/${protocol} of ${key} lies where ${someOf(names)} take ports for connections of their own`,
      evidence: inside.slice(0, 4).map(({ name, range }) => `${name}: net.ipv4.ip_local_port_range = ${range}`),
      consequence: `now and then a connection that ${someOf(names)} open takes ${port}, and its answers are led to the Service: it hangs`,
      remedy: names.map((name) =>
        onNode(name, `sysctl -w net.ipv4.ip_local_reserved_ports=${reserve(view.nodes, name, port)}`),
      ),
    }),
  ]
}

/** `80,30000-32767` */
const isReserved = (list: string, port: number): boolean =>
  list.split(',').some((part) => {
    const [first, last = first] = part.split('-').map(Number)
    return first !== undefined && port >= first && port <= last!
  })

/** All of Kubernetes' usual range at once, where the port is of it: the next Service may get any of them. */
const reserve = (nodes: readonly NodeView[], name: string, port: number): string => {
  const isUsual = port >= firstNodePort && port <= lastNodePort
  const known =
    settingOf(
      nodes.find((node) => node.name === name)!,
      'ip_local_reserved_ports',
    ) ?? ''
  return [known, isUsual ? `${firstNodePort}-${lastNodePort}` : `${port}`].filter((part) => part !== '').join(',')
}

/** Who asks for a node port at a loopback address of a node that does not lead it on. */
type LocalAsker = { readonly node: NodeView; readonly seen: string }

/**
 * Only iptables can lead them to a Service, only over IPv4, and only with route_localnet. Connections that were refused leave
 * nothing in conntrack; images that are pulled from there say it beforehand.
 */
function atLoopback({ view }: Case, nodePort: NodePort): readonly Finding[] {
  const { key, port } = nodePort
  const askers = view.nodes.flatMap((node) => [...untranslated(node, nodePort), ...pulling(view, node, nodePort)])
  if (askers.length === 0) return []
  const nodes = [...new Set(askers.map(({ node }) => node))]
  const names = nodes.map(({ name }) => name)
  return [
    finding({
      code: 'NodePortAtLoopback',
      about: `svc/${key}`,
      services: [key],
      nodes: names,
      summary: `the node port of ${key} is asked for at a loopback address of ${someOf(names)}, where no rule leads it on`,
      evidence: [
        ...new Set(askers.map(({ seen }) => seen)),
        ...nodes.map(
          (node) =>
            `${node.name}: net.ipv4.conf.all.route_localnet = ${settingOf(node, 'conf.all.route_localnet') ?? 'not given'}`,
        ),
      ].slice(0, 6),
      consequence:
        '100% of these connections are refused, or get whoever else listens there; from other machines the port works',
      remedy: nodes
        .slice(0, 1)
        .flatMap(({ name, ips }) =>
          ips.map((ip) =>
            onNode(name, `curl -m 3 ${renderEnd(ip, port)}`, 'an address of the node is the one to ask for'),
          ),
        ),
    }),
  ]
}

const untranslated = (node: NodeView, { port, protocol }: NodePort): readonly LocalAsker[] =>
  (node.machine.connections ?? []).flatMap(({ protocol: of, original, reply }) =>
    of === protocol &&
    original.destinationPort === port &&
    isLoopback(original.destination) &&
    reply.source === original.destination
      ? [
          {
            node,
            seen: `conntrack of ${node.name}: ${protocol} ${renderEnd(original.destination, port)}, not translated`,
          },
        ]
      : [],
  )

/** A registry behind a node port, which container runtimes ask at the node's own loopback address. */
function pulling({ pods = [] }: View, node: NodeView, { port, protocol }: NodePort): readonly LocalAsker[] {
  if (protocol !== 'tcp' || !knowsRules(node) || leadsLoopback(node)) return []
  const isFromHere = new RegExp(`^(localhost|127\\.\\d+\\.\\d+\\.\\d+):${port}/`)
  return pods
    .filter(({ spec }) => spec?.nodeName === node.name)
    .flatMap((pod) =>
      (pod.spec?.containers ?? [])
        .filter(({ image }) => image !== undefined && isFromHere.test(image))
        .map(({ image }) => ({ node, seen: `pod ${keyOf(pod)} on ${node.name}: image: ${image}` })),
    )
}

const leadsLoopback = (node: NodeView): boolean =>
  settingOf(node, 'conf.all.route_localnet') !== '0' &&
  node.machine.iptables.some(({ rules }) => (rules.get('nat')?.get('KUBE-NODEPORTS')?.rules.length ?? 0) > 0)

const [firstNodePort, lastNodePort] = [30_000, 32_767]

/** The command that gives the Service another node port, which nobody has. */
function moveTo({ services = [], nodes }: Case['view'], { service, key, port }: NodePort): string {
  const used = new Set([
    ...services.flatMap(({ spec }) => [
      ...(spec?.ports ?? []).map(({ nodePort }) => nodePort),
      spec?.healthCheckNodePort,
    ]),
    ...nodes.flatMap(({ sockets = [] }) => sockets.map((socket) => socket.port)),
  ])
  let free = firstNodePort
  while (used.has(free) && free < lastNodePort) free++
  const index = (service.spec?.ports ?? []).findIndex(({ nodePort }) => nodePort === port)
  const patch = [{ op: 'replace', path: `/spec/ports/${index}/nodePort`, value: free }]
  return `kubectl patch service ${inNamespace(key)} --type=json -p '${JSON.stringify(patch)}'`
}
