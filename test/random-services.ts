// Random Services and slices with every field that a proxy looks at, for model tests.
import type { Service } from '#api/core.ts'
import type { Endpoint, EndpointSlice } from '#api/discovery.ts'
import type { Change } from '#proxy/dataplane.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import type { Random } from '#test/random.ts'

export const chance = (random: Random, p: number): boolean => random.next() < p
/** Each element with chance p. */
export const some = <T>(random: Random, from: readonly T[], p: number): T[] => from.filter(() => random.next() < p)

/** Service number i of a small world: its addresses and node ports are its own. */
export function randomService(random: Random, i: number): Service {
  const type = random.pick(['ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer'])
  const nodePorts = type !== 'ClusterIP' && chance(random, 0.8)
  const protocols = some(random, ['TCP', 'UDP', 'SCTP'], 0.5)
  const externalIPs = chance(random, 0.3) ? [`80.11.${i}.1`, `fd00:80::${i.toString(16)}`] : []
  const ingress = some(random, [`203.0.113.${i}`, `203.0.114.${i}`, `fd00:203::${i.toString(16)}`], 0.5)
  const local = (p: number) => (chance(random, p) ? 'Local' : 'Cluster')
  const ranges = some(random, ['198.51.100.0/24', '10.168.0.0/16', 'fd00:51::/64', '0.0.0.0/0'], 0.3)
  return {
    metadata: { namespace: 'demo', name: `service-${i}` },
    spec: {
      type,
      clusterIP: `10.96.1.${i}`,
      clusterIPs: [`10.96.1.${i}`, `fd00:96::${i.toString(16)}`].slice(0, chance(random, 0.7) ? 2 : 1),
      internalTrafficPolicy: local(0.2),
      externalTrafficPolicy: local(0.4),
      externalIPs,
      loadBalancerSourceRanges: type === 'LoadBalancer' ? ranges : [],
      ...(chance(random, 0.3) && {
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: random.pick([10, 60, 10800]) } },
      }),
      healthCheckNodePort: 32000 + i,
      ports: (protocols.length === 0 ? ['TCP'] : protocols).map((protocol, p) => ({
        name: protocol.toLowerCase(),
        protocol,
        port: 80 + p,
        ...(nodePorts && { nodePort: 30000 + 10 * i + p }),
      })),
    },
    ...(type === 'LoadBalancer' && {
      status: {
        loadBalancer: { ingress: ingress.map((ip) => ({ ip, ipMode: chance(random, 0.2) ? 'Proxy' : 'VIP' })) },
      },
    }),
  }
}

/** One of the slices of Service i; `which` tells them apart. */
export function randomSlice(random: Random, i: number, which: number): EndpointSlice {
  const family = chance(random, 0.7) ? 4 : 6
  const numbers = some(random, [1, 2, 3, 4, 5, 6, 7], 0.4)
  const hints = chance(random, 0.2)
  const endpoint = (n: number): Endpoint => {
    const [ready, serving, terminating] = random.pick([
      [true, true, false],
      [true, true, false],
      [true, true, false],
      [false, true, true],
      [false, false, false],
    ])
    return {
      addresses: [family === 4 ? `10.244.${n % 3}.${10 * i + n}` : `fd00:244:${n % 3}::${(10 * i + n).toString(16)}`],
      nodeName: `node-${(n % 3) + 1}`,
      conditions: { ready: ready!, serving: serving!, terminating: terminating! },
      ...(hints && {
        hints: {
          forZones: [{ name: `zone-${n % 2}` }],
          ...(chance(random, 0.5) && { forNodes: [{ name: 'node-1' }] }),
        },
      }),
    }
  }
  return {
    metadata: {
      namespace: 'demo',
      name: `service-${i}-${which}`,
      labels: { 'kubernetes.io/service-name': `service-${i}` },
    },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints: numbers.map(endpoint),
    ports: ['TCP', 'UDP', 'SCTP'].map((protocol) => ({ name: protocol.toLowerCase(), port: 8080 + which, protocol })),
  }
}

/** Plans one of six Services anew, with one slice, and notes the change. */
export function changePlan(
  random: Random,
  plans: Map<string, readonly PortPlan[]>,
  changes: Map<string, Change>,
  node: NodePlace,
): void {
  const i = random.integer(1, 6)
  const key = `demo/service-${i}`
  const service = chance(random, 0.85) ? viewService(randomService(random, i)) : undefined
  const slice = viewSlice(randomSlice(random, i, 0))
  const now = service === undefined ? [] : planService(service, slice === undefined ? [] : [slice], 4, node)
  changes.set(key, { before: changes.get(key)?.before ?? plans.get(key) ?? [], after: now })
  plans.set(key, now)
}
