// What Kubernetes' own end-to-end tests ask of a Service proxy, with real packets and in the order of events: each scenario
// names the titles of test/e2e/network that it stands for. Objects come and go while the rules are in place; every mode and
// address family has to do the same.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '#api/core.ts'
import type { Family } from '#proxy/state.ts'
import { type ProxyCluster, webPorts } from '#test/proxy-cluster.ts'
import { at, cluster, nodePort, type Probe, probe } from '#test/proxy-probe.ts'
import { addresses, type Name } from '#test/proxy-topology.ts'

type Spec = Partial<NonNullable<Service['spec']>>
type Do = ProxyCluster & { ask(...probes: (readonly [...Probe, ...('tcp' | 'udp')[]])[]): Promise<void> }

export type Scenario = {
  readonly name: string
  /** titles of Kubernetes' tests, shortened */
  readonly stands: readonly string[]
  run(cluster: Do, family: Family): Promise<void>
}

/** With `ask`: each must be answered so. */
export const withAsk = (made: ProxyCluster, family: Family): Do =>
  Object.assign(Object.create(made) as ProxyCluster, {
    net: made.net,
    service: made.service.bind(made),
    endpoints: made.endpoints.bind(made),
    remove: made.remove.bind(made),
    restart: made.restart.bind(made),
    async ask(...probes: (readonly [...Probe, ...('tcp' | 'udp')[]])[]) {
      for (const [from, to, want, ...protocols] of probes)
        await probe(made.net, [from, to, want], family, { few: true, ...(protocols.length > 0 && { protocols }) })
    },
  }) as Do

const http = (port: number, more: object = {}) => ({ name: `p${port}`, port, protocol: 'TCP', ...more })
const nodePorts = (tcp: number, udp = tcp): Spec => ({
  type: 'NodePort',
  ports: [
    { ...webPorts[0]!, nodePort: tcp },
    { ...webPorts[1]!, nodePort: udp },
  ],
})
const external = at('203.0.113.250', 'fd00:203::250')
const balancer = { loadBalancer: { ingress: [{ ip: '203.0.113.251' }, { ip: 'fd00:203::251' }] } }
const vip = at('203.0.113.251', 'fd00:203::251')
const affinity = (seconds: number): Spec => ({
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } },
})

/** The pods that answer a client's connections one after the other. */
async function answering({ net }: Do, from: Name, host: string, port: number, times: number): Promise<Set<string>> {
  const local = from === 'client' ? { localAddress: addresses.client[host.includes(':') ? 6 : 4] } : {}
  const tally = await net[from].connect({ host, port, times, parallel: 1, timeoutMs: 3000, ...local })
  return new Set(Object.keys(tally).map((answer) => answer.split(' ')[0]!))
}

/** From one source port, as a flow that the kernel remembers. */
async function datagram({ net }: Do, from: Name, host: string, port: number, localPort: number): Promise<string> {
  const [answer = ''] = Object.keys(
    await net[from].connect({ host, port, protocol: 'udp', localPort, timeoutMs: 2000 }),
  )
  return answer.split(' ')[0]!
}

/** Connects from outside, again and again, while `act` runs; answers what became of connections that no pod answered. */
export async function underLoad(
  { net }: Pick<ProxyCluster, 'net'>,
  family: Family,
  to: readonly (readonly [host: string, port: number])[],
  act: () => Promise<void>,
): Promise<readonly string[]> {
  const failures: string[] = []
  const over = new AbortController()
  const load = (async () => {
    do
      for (const [host, port] of to) {
        const options = { host, port, times: 20, timeoutMs: 5000, localAddress: addresses.client[family] }
        failures.push(...Object.keys(await net.client.connect(options)).filter((answer) => !/^[abc] /.test(answer)))
      }
    while (!over.signal.aborted)
  })()
  await act()
  over.abort()
  await load
  return failures
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'endpoints come and go',
    stands: ['serve a basic endpoint from pods', 'update endpoints: http, udp', 'be rejected when no endpoints exist'],
    async run({ service, endpoints, ask }) {
      await service('basic', 20)
      await ask(['a', cluster(20), 'ECONNREFUSED'], ['node1', cluster(20), 'ECONNREFUSED'])
      await endpoints('basic', 'a')
      await ask(['c', cluster(20), 'a'])
      await endpoints('basic', 'a c')
      await ask(['b', cluster(20), 'a c'], ['client', cluster(20), 'a c'])
      await endpoints('basic', 'c')
      await ask(['b', cluster(20), 'c'])
      await endpoints('basic', '')
      await ask(['b', cluster(20), 'ECONNREFUSED'], ['client', cluster(20), 'ECONNREFUSED'])
    },
  },
  {
    name: 'several ports, which come and go',
    stands: [
      'serve multiport endpoints from pods',
      'be updated after adding or deleting ports',
      'several slices of one Service',
    ],
    async run({ service, endpoints, ask }) {
      await service('ports', 21, { ports: [http(80)] })
      await endpoints('ports', 'a', { ports: [{ name: 'p80', port: 8080 }] })
      await endpoints('ports', 'c', { slice: 'b', ports: [{ name: 'p81', port: 8081 }] })
      await ask(['b', cluster(21), 'a', 'tcp'], ['b', { ...cluster(21), port: 81 }, 'nobody', 'tcp'])
      await service('ports', 21, { ports: [http(80), http(81)] })
      await ask(['b', cluster(21), 'a', 'tcp'], ['b', { ...cluster(21), port: 81 }, 'c', 'tcp'])
      await service('ports', 21, { ports: [http(81)] })
      await ask(['b', cluster(21), 'nobody', 'tcp'], ['b', { ...cluster(21), port: 81 }, 'c', 'tcp'])
    },
  },
  {
    name: 'one name, other ports on other pods',
    stands: [
      'named targetPorts that resolve to different ports on different endpoints',
      'multiple endpoint IPs in several slices',
    ],
    async run({ service, endpoints, ask }) {
      await service('named', 22, { ports: [http(80)] })
      await endpoints('named', 'a', { ports: [{ name: 'p80', port: 8080 }] })
      await endpoints('named', 'c', { slice: 'b', ports: [{ name: 'p80', port: 8081 }] })
      await ask(['b', cluster(22), 'a c', 'tcp'])
    },
  },
  {
    name: 'who the pod sees',
    stands: [
      'preserve source pod IP for traffic thru service cluster IP',
      'hairpin back to themselves',
      'pods without SNAT',
    ],
    async run({ service, endpoints, ask }) {
      await service('source', 23)
      await endpoints('source', 'c')
      await ask(['a', cluster(23), 'c@a'])
      await endpoints('source', 'a')
      await ask(['b', cluster(23), 'a@b'], ['c', cluster(23), 'a@c'], ['a', cluster(23), 'a@bridge1'])
      const direct = { to: (family: Family) => addresses.c[family], port: 8080 }
      await ask(['a', direct, 'c@a'], ['b', direct, 'c@b'])
    },
  },
  {
    name: 'Services come, go and come again',
    stands: ['be able to up and down services', 'work after the service has been recreated'],
    async run({ service, endpoints, remove, ask }) {
      await service('one', 24)
      await endpoints('one', 'a')
      await service('two', 25)
      await endpoints('two', 'c')
      await ask(['node1', cluster(24), 'a'], ['b', cluster(25), 'c'])
      await remove('one')
      await ask(['node1', cluster(24), 'nobody'], ['b', cluster(25), 'c'])
      await service('three', 26)
      await endpoints('three', 'a')
      await service('one', 24)
      await endpoints('one', 'c')
      await ask(['node1', cluster(26), 'a'], ['b', cluster(24), 'c'])
    },
  },
  {
    name: 'NodePorts on every node, which come and go',
    stands: ['functioning NodePort service', 'update nodePort: http, udp', 'release NodePorts on delete'],
    async run({ service, endpoints, ask }) {
      await service('port', 27, nodePorts(30027))
      await endpoints('port', 'a c')
      for (const node of ['node1', 'node2'] as const)
        await ask(['client', nodePort(node, 30027), 'a c'], ['b', nodePort(node, 30027), 'a c'])
      await ask(['node1', nodePort('node1', 30027), 'a c'], ['b', cluster(27), 'a c'])
      await service('port', 27)
      await ask(['client', nodePort('node1', 30027), 'ECONNREFUSED'], ['b', cluster(27), 'a c'])
    },
  },
  {
    name: 'one port number for TCP and UDP',
    stands: [
      'NodePort on the same port number but different protocols',
      'endpoints on same port and different protocols',
      'the same for internal traffic on Type LoadBalancer',
    ],
    async run({ service, endpoints, ask }) {
      const { ports = [] } = nodePorts(30028, 30029)
      await service('protocols', 28, { type: 'NodePort', ports })
      await endpoints('protocols', 'a')
      await ask(['client', nodePort('node1', 30028), 'a', 'tcp'], ['client', nodePort('node1', 30029), 'a', 'udp'])
      await ask(['client', nodePort('node1', 30029), 'ECONNREFUSED', 'tcp'], ['b', cluster(28), 'a'])
      await service('protocols', 28, { type: 'LoadBalancer', ports: ports.slice(1) }, {}, balancer)
      await ask(['b', vip, 'a', 'udp'], ['b', cluster(28), 'nobody', 'tcp'], ['b', cluster(28), 'a', 'udp'])
      await service('protocols', 28, { type: 'LoadBalancer', ports }, {}, balancer)
      await ask(['b', vip, 'a'], ['b', cluster(28), 'a'])
    },
  },
  {
    name: 'an external IP that no node has',
    stands: ['connect to a service via ExternalIP when the external IP is not assigned to a node'],
    async run({ service, endpoints, ask }) {
      await service('external', 29, { externalIPs: ['203.0.113.250', 'fd00:203::250'] })
      await endpoints('external', 'a')
      await ask(['c', external, 'a'], ['client', external, 'a'], ['node1', external, 'a'])
    },
  },
  {
    name: 'ExternalName and back',
    stands: ['change the type: ExternalName to ClusterIP, to NodePort; ClusterIP and NodePort to ExternalName'],
    async run({ service, endpoints, ask }) {
      const name: Spec = { type: 'ExternalName', externalName: 'example.com' }
      await service('type', 30, name)
      await endpoints('type', 'a')
      await ask(['b', cluster(30), 'nobody'])
      await service('type', 30)
      await ask(['b', cluster(30), 'a'])
      await service('type', 30, name)
      await ask(['b', cluster(30), 'nobody'])
      await service('type', 30, nodePorts(30030))
      await ask(['b', cluster(30), 'a'], ['client', nodePort('node2', 30030), 'a'])
      await service('type', 30, name)
      await ask(['b', cluster(30), 'nobody'], ['client', nodePort('node2', 30030), 'ECONNREFUSED'])
    },
  },
  {
    name: 'endpoints that are not ready, terminate, or are published all the same',
    stands: [
      'create endpoints for unready pods',
      'terminating and unready endpoints, PublishNotReadyAddresses true and false',
      'be rejected for evicted pods',
    ],
    async run({ service, endpoints, ask }) {
      await service('unready', 31)
      // With publishNotReadyAddresses the slice says ready, whatever the pod does.
      await endpoints('unready', 'a c')
      await ask(['b', cluster(31), 'a c'])
      await endpoints('unready', '!a !c')
      await ask(['b', cluster(31), 'ECONNREFUSED'], ['node1', cluster(31), 'ECONNREFUSED'])
    },
  },
  {
    name: 'session affinity, on and off',
    stands: [
      'session affinity work, time out and switch: clusterIP, NodePort, LoadBalancer',
      'client IP based session affinity: http, udp',
    ],
    async run(all, family) {
      const { service, endpoints, ask } = all
      const spec = nodePorts(30032)
      await service('sticky', 32, spec)
      await endpoints('sticky', 'a b c')
      await ask(['client', cluster(32), 'a b c'])
      await service('sticky', 32, { ...spec, ...affinity(100) })
      const host = cluster(32).to(family)
      const [first, ...others] = await answering(all, 'client', host, 80, 15)
      assert.deepEqual(others, [])
      await endpoints('sticky', [...'abc'].filter((pod) => pod !== first).join(' '))
      const [second, ...rest] = await answering(all, 'client', host, 80, 15)
      assert.deepEqual([second === first, rest], [false, []], 'the endpoint is gone: another one, and that for good')
      assert.equal((await answering(all, 'client', addresses.node1[family], 30032, 15)).size, 1)
      await endpoints('sticky', 'a b c')
      await service('sticky', 32, spec)
      await ask(['client', cluster(32), 'a b c'], ['client', nodePort('node1', 30032), 'a b c'])
    },
  },
  {
    name: 'labels that say: not for this proxy',
    stands: ['implement service.kubernetes.io/service-proxy-name', 'implement service.kubernetes.io/headless'],
    async run({ service, endpoints, ask }) {
      await service('other', 33, {}, { 'service.kubernetes.io/service-proxy-name': 'other' })
      await endpoints('other', 'a')
      await ask(['b', cluster(33), 'nobody'])
      await service('other', 33)
      await ask(['b', cluster(33), 'a'])
      await endpoints('other', 'a', { labels: { 'service.kubernetes.io/headless': '' } })
      await ask(['b', cluster(33), 'ECONNREFUSED'])
    },
  },
  {
    name: 'internalTrafficPolicy Local',
    stands: [
      'internalTrafficPolicy=Local Pod to Pod, Pod (hostNetwork) to Pod, Pod and Node to Pod (hostNetwork)',
      'fallback to local terminating endpoints with internalTrafficPolicy=Local',
    ],
    async run({ service, endpoints, ask }) {
      await service('internal', 34, { internalTrafficPolicy: 'Local' })
      await endpoints('internal', 'a')
      await ask(['b', cluster(34), 'a'], ['node1', cluster(34), 'a'])
      // Others get nothing: their packets are dropped, in IPVS mode refused.
      await ask(['c', cluster(34), 'nobody'], ['node2', cluster(34), 'nobody'])
      await endpoints('internal', 'node1')
      await ask(['b', cluster(34), 'node1', 'tcp'], ['c', cluster(34), 'nobody'])
      await endpoints('internal', '~a')
      await ask(['b', cluster(34), 'a'], ['c', cluster(34), 'nobody'])
    },
  },
  {
    name: 'externalTrafficPolicy, there and back',
    stands: [
      'externalTrafficPolicy=Local for type=NodePort and type=LoadBalancer',
      'NodePort when ExternalTrafficPolicy changes',
      'work from pods (short circuit)',
    ],
    async run({ service, endpoints, ask }) {
      const local: Spec = { ...nodePorts(30035), type: 'LoadBalancer', externalTrafficPolicy: 'Local' }
      await service('traffic', 35, local, {}, balancer)
      await endpoints('traffic', 'c')
      await ask(['client', nodePort('node2', 30035), 'c@client'], ['client', nodePort('node1', 30035), 'timeout'])
      await ask(['a', nodePort('node1', 30035), 'c@a'], ['node1', nodePort('node1', 30035), 'c'])
      await ask(['a', vip, 'c@a'], ['client', vip, 'timeout'], ['client', cluster(35), 'c'])
      await service('traffic', 35, { ...local, externalTrafficPolicy: 'Cluster' }, {}, balancer)
      await ask(['client', nodePort('node1', 30035), 'c@node1'], ['client', vip, 'c@node1'])
      await service('traffic', 35, local, {}, balancer)
      await ask(['client', nodePort('node2', 30035), 'c@client'], ['client', nodePort('node1', 30035), 'timeout'])
    },
  },
  {
    name: 'terminating endpoints where there are no others',
    stands: [
      'fallback to terminating endpoints with internalTrafficPolicy=Cluster, externalTrafficPolicy=Cluster',
      'fallback to local terminating endpoints with externalTrafficPolicy=Local',
      'connect from and to a terminating Pod',
    ],
    async run({ service, endpoints, ask }) {
      await service('ending', 36, nodePorts(30036))
      await endpoints('ending', '~a b')
      await ask(['c', cluster(36), 'b'])
      await endpoints('ending', '~a !b')
      await ask(['c', cluster(36), 'a'], ['b', cluster(36), 'a'], ['a', cluster(36), 'a'])
      for (const node of ['node1', 'node2'] as const) await ask(['client', nodePort(node, 30036), 'a'])
      await service('ending', 36, { ...nodePorts(30036), externalTrafficPolicy: 'Local' })
      await ask(['client', nodePort('node1', 30036), 'a@client'], ['client', nodePort('node2', 30036), 'timeout'])
    },
  },
  {
    name: 'load balancer source ranges, on and off',
    stands: [
      'only allow access from service loadbalancer source ranges',
      'change the type and ports of a TCP and UDP service',
    ],
    async run({ service, endpoints, ask }) {
      const of = (...ranges: string[]): Spec => ({
        ...nodePorts(30037),
        type: 'LoadBalancer',
        loadBalancerSourceRanges: ranges,
      })
      const [client, pod] = [
        ['10.168.0.100/32', 'fd00:168::100/128'],
        ['10.244.0.12/32', 'fd00:244::12/128'],
      ]
      await service('ranges', 37, of(...client!), {}, balancer)
      await endpoints('ranges', 'a')
      await ask(['client', vip, 'a'], ['stranger', vip, 'timeout'], ['b', vip, 'timeout'])
      await ask(['stranger', nodePort('node1', 30037), 'a'], ['b', cluster(37), 'a'])
      await service('ranges', 37, of(...pod!), {}, balancer)
      await ask(['b', vip, 'a'], ['client', vip, 'timeout'])
      await service('ranges', 37, of(), {}, balancer)
      await ask(['client', vip, 'a'], ['stranger', vip, 'a'], ['b', vip, 'a'])
      await service('ranges', 37, nodePorts(30037))
      await ask(['client', vip, 'nobody'], ['client', nodePort('node1', 30037), 'a'])
    },
  },
  {
    name: 'near endpoints first',
    stands: [
      'distribute endpoints evenly (Topology Hints)',
      'PreferClose, PreferSameZone, PreferSameNode, and the fall back from them',
    ],
    async run({ service, endpoints, ask }) {
      await service('near', 38)
      await endpoints('near', 'a%zone-1 b%zone-1 c%zone-2')
      await ask(['b', cluster(38), 'a b'], ['c', cluster(38), 'c'])
      await endpoints('near', 'a#node-1%zone-1 b#node-2%zone-1 c#node-2%zone-2')
      await ask(['a', cluster(38), 'a'], ['c', cluster(38), 'b c'])
      await endpoints('near', '!a#node-1%zone-1 b#node-2%zone-1 c#node-2%zone-2')
      await ask(['a', cluster(38), 'b'])
      await endpoints('near', 'a c')
      await ask(['b', cluster(38), 'a c'])
    },
  },
  {
    name: 'UDP goes where the endpoints are',
    stands: [
      'preserve UDP traffic when server pod cycles: NodePort, ClusterIP, internalTrafficPolicy Local, hostNetwork client',
      'preserve UDP traffic when initial unready endpoints get ready',
      'cleanup conntrack entries when UDP service target port changes for a NodePort service',
    ],
    async run(all, family) {
      const { service, endpoints } = all
      await service('flow', 39, nodePorts(30039))
      const targets = [
        ['c', cluster(39).to(family), 80],
        ['node1', cluster(39).to(family), 80],
        ['client', addresses.node1[family], 30039],
      ] as const
      for (const [i, [from, host, port]] of targets.entries())
        assert.equal(await datagram(all, from, host, port, 40_000 + i), 'ECONNREFUSED', `${from}: nobody is ready`)
      for (const pod of ['a', 'b', 'a']) {
        await endpoints('flow', pod)
        for (const [i, [from, host, port]] of targets.entries())
          assert.equal(await datagram(all, from, host, port, 40_000 + i), pod, `${from} to ${host}:${port}`)
      }
      await service('flow', 39, { internalTrafficPolicy: 'Local' })
      for (const pod of ['a', 'b']) {
        await endpoints('flow', pod)
        assert.equal(await datagram(all, 'a', cluster(39).to(family), 80, 40_010), pod)
      }
      await service('flow', 39, nodePorts(30039))
      await endpoints('flow', '')
      assert.equal(await datagram(all, 'client', addresses.node1[family], 30039, 40_002), 'ECONNREFUSED')
    },
  },
  {
    name: 'a restart of the proxy',
    stands: ['work after restarting kube-proxy', 'UDP flows of live endpoints survive it'],
    async run(all, family) {
      const { service, endpoints, restart } = all
      await service('steady', 40)
      await endpoints('steady', 'a b c')
      const host = cluster(40).to(family)
      const before = await datagram(all, 'a', host, 80, 41_000)
      const failures = await underLoad(all, family, [[host, 80]], restart)
      assert.deepEqual(failures, [])
      assert.equal(await datagram(all, 'a', host, 80, 41_000), before)
    },
  },
  {
    name: 'SCTP beside the others',
    stands: ['allow creating a basic SCTP service with pod and endpoints'],
    async run({ service, endpoints, ask }) {
      await service('sctp', 41, { ports: [...webPorts, { name: 'sctp', port: 80, protocol: 'SCTP' }] })
      await endpoints('sctp', 'a', {
        ports: [
          { name: 'tcp', port: 8080, protocol: 'TCP' },
          { name: 'udp', port: 8080, protocol: 'UDP' },
          { name: 'sctp', port: 8080, protocol: 'SCTP' },
        ],
      })
      await ask(['b', cluster(41), 'a'])
    },
  },
  {
    name: 'host ports of others',
    stands: ['no conflict with hostPort: service rules must not steal its traffic'],
    async run({ service, endpoints, net, ask }, family) {
      const [table, ip] = family === 4 ? ['ip', 'ip'] : ['ip6', 'ip6']
      const pod = family === 4 ? addresses.b[4] : `[${addresses.b[6]}]`
      const to = `${ip} daddr ${addresses.node1[family]} tcp dport 8088 dnat to ${pod}:8080`
      const chain = 'type nat hook prerouting priority dstnat'
      const nft = ['nsenter', `--net=${net.node1.netns}`, 'nft'] as const
      const input = `table ${table} hostport {\n chain in {\n ${chain};\n ${to}\n }\n}\n`
      execFileSync(nft[0], [...nft.slice(1), '-f', '-'], { input })
      await service('beside', 42, nodePorts(30042))
      await endpoints('beside', 'c')
      await ask(['client', nodePort('node1', 8088), 'b', 'tcp'], ['client', nodePort('node1', 30042), 'c'])
      execFileSync(nft[0], [...nft.slice(1), 'delete', 'table', table, 'hostport'])
    },
  },
  {
    name: 'rolling changes under load',
    stands: ['no connectivity disruption during rolling update with externalTrafficPolicy=Cluster, =Local'],
    async run(all, family) {
      const { service, endpoints } = all
      await service('rolling', 43, { ...nodePorts(30043) })
      await endpoints('rolling', 'a b')
      const to = [
        [cluster(43).to(family), 80],
        [addresses.node1[family], 30043],
      ] as const
      const failures = await underLoad(all, family, to, async () => {
        for (let round = 0; round < rollingRounds; round++) {
          await endpoints('rolling', ['a b', 'a b c', '~a b c', 'b c', 'b ~c', 'a b ~c'][round % 6]!)
          await sleep(5)
        }
      })
      assert.deepEqual(failures, [])
    },
  },
]

const rollingRounds = process.env['FAIRWAY_SOAK'] === '1' ? 1000 : 24
