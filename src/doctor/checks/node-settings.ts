// Parameters of a node's kernel by which Services fail.

import { onNode, restart } from '#doctor/remedy.ts'
import { type Case } from '#doctor/checks/check.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { type NodeView, usesIpvs, type View } from '#doctor/view.ts'

export const checkNodeSettings = ({ view }: Case): readonly Finding[] =>
  view.nodes.flatMap((node) => [
    ...forwarding(node),
    ...bridge(node),
    ...proxyDown(node),
    ...arp(node, view),
    ...reuse(node),
  ])

/** A number among the parameters of its kernel. */
export const setting = ({ machine }: NodeView, name: string): number | undefined => {
  const text = machine.sysctls?.get(name)
  return text === undefined ? undefined : Number(text)
}

/** Undefined where nobody says which kernel a node has. */
export function kernelIsBefore({ node }: NodeView, major: number, minor: number): boolean | undefined {
  const [own, part] =
    /^(\d+)\.(\d+)/
      .exec(node?.status?.nodeInfo?.kernelVersion ?? '')
      ?.slice(1)
      .map(Number) ?? []
  return own === undefined || part === undefined ? undefined : own < major || (own === major && part < minor)
}

function forwarding(node: NodeView): readonly Finding[] {
  if (setting(node, 'net.ipv4.ip_forward') !== 0) return []
  const { name } = node
  return [
    finding({
      code: 'ForwardingOff',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: the kernel forwards no packets`,
      evidence: [`${name}: net.ipv4.ip_forward = 0`],
      consequence: `pods of ${name} reach only each other and their node, and nobody else reaches them: 100% of connections through the node fail`,
      remedy: [onNode(name, 'sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')],
    }),
  ]
}

function bridge(node: NodeView): readonly Finding[] {
  const { name, machine } = node
  const parameter = 'net.bridge.bridge-nf-call-iptables'
  const bridges = machine.links?.filter(({ kind }) => kind === 'bridge') ?? []
  const shared = bridges.find(
    ({ name: own }) => (machine.links ?? []).filter(({ master }) => master === own).length > 1,
  )
  if (setting(node, parameter) !== 0 || shared === undefined) return []
  return [
    finding({
      code: 'BridgePastRules',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: packets between ports of ${shared.name} go past the rules`,
      evidence: [`${name}: ${parameter} = 0`],
      consequence: `a pod of ${name} that asks a Service and is given a pod of the same node takes no answer: it comes from the pod's address; as many connections time out as the node has of the endpoints`,
      remedy: [onNode(name, `sysctl -w ${parameter}=1 net.bridge.bridge-nf-call-ip6tables=1`)],
    }),
  ]
}

const healthPorts = [10_256, 10_249]

function proxyDown({ name, sockets, node, texts }: NodeView): readonly Finding[] {
  const down = (what: string, evidence: readonly string[]) =>
    finding({
      code: 'ProxyDown',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: ${what}`,
      evidence,
      consequence: `rules of ${name} stay as they are: whatever changes from now on (pods that end, new Services) is not followed there`,
      remedy: restart('proxy', [name]),
    })
  const health = texts.get('proxy-healthz.txt')
  if (health !== undefined && saysBehind(health))
    return [
      down('its proxy says that it does not keep up', [
        `${name}: http://127.0.0.1:${healthPorts[0]}/healthz: ${health.split('\n')[0]!.trim()}`,
        ...(/"lastUpdated":\s*"[^"]*"/.exec(health) ?? []),
      ]),
    ]
  if (sockets === undefined || node === undefined || health !== undefined) return []
  if (sockets.some(({ protocol, port }) => protocol === 'tcp' && healthPorts.includes(port))) return []
  return [
    down(`no proxy runs: nobody listens at its ports ${healthPorts.join(' and ')}`, [
      `${name}: ss -lntu shows neither ${healthPorts.join(' nor ')}`,
    ]),
  ]
}

/** 503 is also what a proxy says on a node that is about to be deleted, whose rules are as good as any. */
const saysBehind = (health: string): boolean =>
  /^HTTP\/1\.\d 503/.test(health) && !/"nodeEligible":\s*false/.test(health)

/** Only addresses on a network of the node's own are asked for by ARP there. */
function arp(node: NodeView, { services = [] }: View): readonly Finding[] {
  const { name, machine } = node
  const links = machine.links ?? []
  const external = links.find((link) => link.name === 'kube-ipvs0')?.addresses ?? []
  const announced = services.flatMap(({ status }) =>
    (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []),
  )
  const isNear = (ip: string) =>
    links
      .filter((link) => link.name !== 'kube-ipvs0')
      .flatMap(({ addresses = [] }) => addresses.flatMap(({ ip: own, prefix }) => parseCidr(`${own}/${prefix}`) ?? []))
      .some((range) => containsIp(range, ip))
  if (
    !usesIpvs(node) ||
    !external.some(({ ip }) => announced.includes(ip) && isNear(ip)) ||
    setting(node, 'net.ipv4.conf.all.arp_ignore') !== 0
  )
    return []
  return [
    finding({
      code: 'ArpNotStrict',
      about: `node/${name}`,
      nodes: [name],
      severity: 'warning',
      summary: `${name} answers ARP for every virtual IP that it carries`,
      evidence: [`${name}: net.ipv4.conf.all.arp_ignore = 0, and kube-ipvs0 has ${external.length} addresses`],
      consequence:
        'where a load balancer announces an address on the network of the nodes, every node answers for it, and connections go to whichever answered last',
      remedy: [
        onNode(
          name,
          'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2',
          'strictARP: true of the proxy keeps it so',
        ),
      ],
    }),
  ]
}

function reuse(node: NodeView): readonly Finding[] {
  const { name } = node
  const mode = setting(node, 'net.ipv4.vs.conn_reuse_mode')
  const expire = setting(node, 'net.ipv4.vs.expire_nodest_conn')
  const kernel = node.node?.status?.nodeInfo?.kernelVersion ?? ''
  const isOld = kernelIsBefore(node, 5, 9) === true
  if (!usesIpvs(node) || (expire !== 0 && !(isOld && mode === 1))) return []
  return [
    finding({
      code: 'IpvsReuse',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: IPVS keeps sending connections to real servers that are gone, or delays new ones`,
      evidence: [
        `${name}: net.ipv4.vs.conn_reuse_mode = ${mode}, net.ipv4.vs.expire_nodest_conn = ${expire}, kernel ${kernel}`,
      ],
      consequence:
        'a client that uses a source port again waits a second, or is led to a pod that has ended, after each change of endpoints',
      remedy: [onNode(name, 'sysctl -w net.ipv4.vs.expire_nodest_conn=1 net.ipv4.vs.conn_reuse_mode=0')],
    }),
  ]
}
