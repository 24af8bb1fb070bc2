// The tracer held against the kernel: a network of namespaces as the tracer knows it, packets that are really sent, and what
// is said of them. What happened must be the verdict of the trace or one of its branches.
import { execFileSync } from 'node:child_process'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { deleteFlows, listFlows } from '#kernel/conntrack/conntrack.ts'
import { withNetns } from '#kernel/netns.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { canonicalIp } from '#lib/ip.ts'
import { addresses, createProxyTopology, type Name } from '#test/proxy-topology.ts'
import type { Tally, Topology } from '#test/topology.ts'
import { clientSees } from '#trace/client.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import type { Input } from '#trace/read/read-world.ts'
import { type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, standingOf, type World } from '#trace/world.ts'

const hosts = ['node1', 'node2', 'client'] as const
const podNodes = { a: 'node1', b: 'node1', c: 'node2' } as const
const served = [8080, 80]

export type Net = Topology<Name>

/** All but the rules of the first node, which change. */
export async function observe(net: Net): Promise<Input[]> {
  const files: Input[] = []
  for (const name of [...hosts, 'a', 'b', 'c'] as const) {
    const folder = name in podNodes ? `pods/default/${name}` : `nodes/${name}`
    const { files: found } = await collectNamespace(net[name].netns, false)
    files.push(
      ...found
        .filter((file) => file.name !== 'nftables.json')
        .map(({ name: file, text }) => ({ file: `${folder}/${file}`, text })),
    )
  }
  const items = Object.entries(podNodes).map(([name, nodeName]) => ({
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName },
    status: {
      phase: 'Running',
      podIP: addresses[name as 'a'][4],
      podIPs: [{ ip: addresses[name as 'a'][4] }, { ip: addresses[name as 'a'][6] }],
    },
  }))
  return [...files, { file: 'objects/pods.json', text: JSON.stringify({ kind: 'PodList', apiVersion: 'v1', items }) }]
}

export const run = (net: Net, words: readonly string[], input?: string): string =>
  withNetns(net.node1.netns, () =>
    execFileSync(words[0]!, words.slice(1), {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      ...(input !== undefined && { input }),
    }),
  )

export type Probe = {
  readonly from: Name
  readonly to: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

export function traceProbe(world: World, { from, to, port, protocol }: Probe): Traced[] {
  const pod = from in podNodes ? canonicalIp(addresses[from as 'a'][to.includes(':') ? 6 : 4]) : undefined
  const standing =
    pod === undefined ? { kind: 'machine' as const, machine: machineNamed(world, from)! } : standingOf(world, pod)
  return traceWorld(world, {
    packet: firstPacket({ protocol, source: pod ?? '', destination: to, destinationPort: port }),
    from: standing,
  })
}

/** What a client sees of a way: `a 10.168.0.2`, `timeout`, `ECONNREFUSED` ... */
function seen(way: Traced): string | readonly string[] {
  const { outcome, packet, answer } = way
  if (outcome.kind === 'delivered' && answer.kind === 'returns')
    return `${outcome.to.replace('pod/', '')} ${packet.source}`
  // Nobody else is in these networks.
  if (outcome.kind === 'left') return 'EHOSTUNREACH'
  const sees = clientSees(way) ?? 'unknown'
  // Routes that refuse tell so only a few times in a row, whatever is set (net/ipv4/route.c, ip_error).
  return way.steps.at(-1)?.place === 'routing' ? ['timeout', sees] : sees
}

/** Sends each packet and asks the tracer; answers what differs. `times` connections a probe. */
export async function compare(net: Net, world: World, probes: readonly Probe[], times: number): Promise<string[]> {
  const wrong: string[] = []
  await Promise.all(
    probes.map(async (probe) => {
      const ways = traceProbe(world, probe)
      const wanted = new Set(ways.flatMap(seen))
      const ask = (timeoutMs: number): Promise<Tally> =>
        net[probe.from].connect({
          host: probe.to,
          port: probe.port,
          protocol: probe.protocol,
          times,
          parallel: times,
          hearsSend: true,
          timeoutMs,
        })
      const unexpectedOf = (tally: Tally) => Object.keys(tally).filter((what) => !wanted.has(what))
      let unexpected = unexpectedOf(await ask(400))
      // A machine under load is slow, and the kernel drops a packet whose connection another one overtook on the way into its
      // table: only what happens again is an answer.
      if (unexpected.length > 0) {
        const again = unexpectedOf(await ask(5000))
        unexpected = unexpected.filter((what) => again.includes(what))
      }
      if (unexpected.length > 0)
        wrong.push(
          `${probe.protocol} ${probe.from} > ${probe.to}:${probe.port}: the kernel says ${unexpected.join(', ')}; the trace:\n` +
            ways.map((way) => `    ${String(seen(way))}: ${renderWay(way)} ${way.conditions.join(', ')}`).join('\n'),
        )
    }),
  )
  return wrong
}

/** A client's port may come again, and what was decided for its first connection would still hold. */
export function forgetConnections(net: Net): void {
  for (const name of ['node1', 'node2', 'a'] as const)
    for (const family of [4, 6] as const)
      for (const protocol of [6, 17]) {
        const { netns } = net[name]
        deleteFlows(family, listFlows(family, protocol, netns), netns)
      }
}

export async function servingTopology(): Promise<Net> {
  const net = await createProxyTopology()
  for (const name of ['node1', 'node2', 'a', 'b', 'c'] as const) {
    await net[name].serve(...served)
    // Refusals are answers by ICMP, of which the kernel sends few a second.
    writeSysctls(
      { 'net/ipv4/icmp_ratelimit': 0, 'net/ipv4/icmp_msgs_per_sec': 100_000, 'net/ipv4/icmp_msgs_burst': 100_000 },
      net[name].netns,
    )
  }
  return net
}
