// Random histories of Services and endpoints under a proxy; after each step real connections are asked who answers, and a
// model that shares no code with the proxy has to agree.
import * as assert from 'node:assert/strict'
import type { Service } from '#api/core.ts'
import type { Family } from '#proxy/state.ts'
import { ProxyCluster, webPorts } from '#test/proxy-cluster.ts'
import type { ProxyTestMode } from '#test/proxy-modes.ts'
import { addresses } from '#test/proxy-topology.ts'
import { type Random, seeded } from '#test/random.ts'
import { type Answers, type Asked, whoAnswers } from '#test/reference-proxy.ts'

type Spec = Partial<NonNullable<Service['spec']>>
const count = 4
const short = (text: string) => text.replace('fd00:244:0:0::', 'fd00:244::')
const external = (i: number) => [`203.0.113.${i}`, `fd00:203::${i}`]
const virtual = (i: number) => [`203.0.113.${100 + i}`, `fd00:203::${100 + i}`]

/** IPVS mode has no short cut for pods past the policy Local (docs/decisions/010). */
function randomSpec(random: Random, i: number, mode: string): Spec {
  const type = random.pick(['ClusterIP', 'NodePort', 'LoadBalancer'] as const)
  const local = () => random.pick(['Cluster', 'Local'] as const)
  const ranges = [
    [],
    ['10.168.0.100/32', 'fd00:168::100/128'],
    ['10.244.0.0/24', 'fd00:244::/64'],
    ['192.0.2.0/24', '2001:db8::/32'],
  ]
  return {
    type,
    ports: webPorts.map((port) => (type === 'ClusterIP' ? port : { ...port, nodePort: 30_100 + i })),
    internalTrafficPolicy: local(),
    ...(type !== 'ClusterIP' && { externalTrafficPolicy: mode === 'ipvs' ? 'Cluster' : local() }),
    ...(random.integer(0, 3) === 0 && { externalIPs: external(i) }),
    ...(type === 'LoadBalancer' && { loadBalancerSourceRanges: random.pick(ranges) }),
    ...(random.integer(0, 3) === 0 && {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 100 } },
    }),
  }
}

function randomEndpoints(random: Random): string {
  const hint = random.pick(['', 'zone', 'node', 'some'] as const)
  return ['a', 'b', 'c']
    .filter(() => random.integer(0, 2) > 0)
    .map((pod) => {
      const sign = random.pick(['', '', '', '~', '!'])
      const zone = `%zone-${random.integer(1, 2)}`
      const node = `#node-${random.integer(1, 2)}`
      const hints = { '': '', zone, node: `${node}${zone}`, some: random.integer(0, 1) === 0 ? '' : zone }[hint]
      return `${sign}${pod}${hints}`
    })
    .join(' ')
}

const places = {
  a: { kind: 'pod', node: 1 },
  b: { kind: 'pod', node: 1 },
  c: { kind: 'pod', node: 2 },
  node1: { kind: 'node', node: 1 },
  node2: { kind: 'node', node: 2 },
  client: { kind: 'outside', node: 1 },
} as const

/** One connection to a front of a Service that has it; undefined where it has not. */
async function ask(cluster: ProxyCluster, mode: string, random: Random, family: Family, i: number): Promise<void> {
  const { service, slices } = cluster.objects(`model-${i}`)
  const spec = service?.spec
  if (service === undefined || spec === undefined) return
  const at = family === 4 ? 0 : 1
  const fronts: readonly (readonly [Asked['to'], host: string, port: number, node?: number])[] = [
    ['cluster IP', spec.clusterIPs![at]!, 80],
    ...(spec.externalIPs ? [['external IP', external(i)[at]!, 80] as const] : []),
    ...(spec.type === 'LoadBalancer' ? [['load balancer', virtual(i)[at]!, 80] as const] : []),
    ...(spec.type === 'ClusterIP'
      ? []
      : [1, 2].map((node) => ['node port', addresses[`node${node as 1 | 2}`][family], 30_100 + i, node] as const)),
  ]
  const [to, host, port, node] = random.pick(fronts)
  const from = random.pick(Object.keys(places) as (keyof typeof places)[])
  const { kind, node: own } = places[from]
  // A NodePort of the other node is asked from outside of that one; only its own node is inside.
  if (to === 'node port' && kind === 'node' && node !== own) return
  // With policy Local nothing is masqueraded: a pod's neighbours would answer it past the node that it has asked.
  if (to === 'node port' && kind === 'pod' && node !== own && spec.externalTrafficPolicy === 'Local') return
  const decides = to === 'node port' ? node! : own
  const protocol = random.pick(['TCP', 'UDP'] as const)
  const wanted = whoAnswers({
    service,
    slices,
    node: `node-${decides}`,
    zone: `zone-${decides}`,
    from: { kind, ip: short(addresses[from][family]) },
    to,
  })
  // In kube-proxy's iptables layout nothing refuses what the node itself sends to an external address.
  const isUntold = mode.startsWith('iptables') && kind === 'node' && (to === 'external IP' || to === 'load balancer')
  const answers = isUntold && wanted === 'refused' ? 'none' : wanted
  const options = { host, port, times: 3, protocol: protocol === 'TCP' ? 'tcp' : 'udp' } as const
  const isSilent = answers === 'silent' || answers === 'none'
  const tally = await cluster.net[from].connect({
    ...options,
    ...(isSilent ? { times: 1, timeoutMs: 150 } : { timeoutMs: 5000 }),
    ...(from === 'client' && { localAddress: addresses.client[family] }),
  })
  for (const answer of Object.keys(tally))
    assert.ok(
      isRight(answer, answers, family),
      `${from} to ${to} ${host}:${port}/${protocol}: ${answer}, and not ${describe(answers)}\n${JSON.stringify({ spec, slices: slices.map(({ endpoints }) => endpoints) })}`,
    )
}

function isRight(answer: string, answers: Answers, family: Family): boolean {
  if (answers === 'refused') return answer === 'ECONNREFUSED'
  if (answers === 'silent') return answer === 'timeout'
  if (answers === 'none') return answer === 'timeout' || answer === 'ECONNREFUSED'
  const pod = answer.split(' ')[0] as keyof typeof addresses
  return pod in addresses && answers.has(addresses[pod][family])
}
const describe = (answers: Answers) => (typeof answers === 'string' ? answers : [...answers].join(' or '))

/** `steps` changes of objects, with connections after each. */
export async function runModel(mode: ProxyTestMode, seed: number, steps: number): Promise<void> {
  const random = seeded(seed)
  await using cluster = await ProxyCluster.start(mode)
  for (let step = 0; step < steps; step++) {
    const i = random.integer(1, count)
    const name = `model-${i}`
    const what = random.integer(0, 9)
    if (what === 0) await cluster.remove(name)
    else if (what === 1) await cluster.restart()
    else if (what < 5) {
      const spec = randomSpec(random, i, mode.name)
      const ingress = virtual(i).map((ip) => ({ ip }))
      await cluster.service(name, 50 + i, spec, {}, spec.type === 'LoadBalancer' ? { loadBalancer: { ingress } } : {})
    } else await cluster.endpoints(name, randomEndpoints(random))
    for (let n = 0; n < 4; n++)
      await ask(cluster, mode.name, random, random.pick([4, 6] as const), random.integer(1, count)).catch(
        (error: Error) => {
          throw new Error(`seed ${seed}, step ${step}: ${error.message}`, { cause: error })
        },
      )
  }
}
