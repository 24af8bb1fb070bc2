// One cluster shared with flannel's own program, node by node: `FLANNELD=PATH` says where that is. Ours runs on one node, the
// original on the other; leases in Kubernetes, and in etcd.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { connect } from '#client/client.ts'
import { EtcdClient } from '#etcd/client.ts'
import { parsePools } from '#flannel/allocation.ts'
import type { NetworkConfig } from '#flannel/network-config.ts'
import { parseNetworkConfig } from '#flannel/network-config.ts'
import type { Keeper } from '#flannel/options.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { annotation, makeNodes, serveInPod, talk, tcpBytes, untilTrue, type TestNode } from '#test/flannel-nodes.ts'
import { startFlanneld, type FlanneldKeeper } from '#test/flanneld.ts'
import { need } from '#test/need.ts'
import { serveApi } from '#test/served-api.ts'

const program = process.env['FLANNELD']
const skip =
  program === undefined
    ? "needs flannel's own program: FLANNELD=PATH"
    : need({ root: true, programs: ['ip', 'iptables', 'python3', 'etcd'], files: ['/dev/net/tun', program] })
const network = '10.244.0.0/16'
const prefix = '/coreos.com/network'

/** What keeps the leases of both, and what it says of a node's lease. */
type Shared = {
  readonly ours: Keeper
  readonly theirs: FlanneldKeeper
  /** back end and public address, as the keeper has them */
  lease(node: TestNode): Promise<readonly (string | undefined)[]>
}

async function inKubernetes(
  nodes: readonly TestNode[],
  config: object,
  started: AsyncDisposableStack,
): Promise<Shared> {
  const api = started.use(await serveApi())
  for (const { name, subnets } of nodes)
    await api.call('POST', '/api/v1/nodes', {
      metadata: { name, annotations: { 'node.alpha.kubernetes.io/ttl': '0' } },
      spec: { podCIDR: subnets[4], podCIDRs: [subnets[4]] },
    })
  const { cert, key } = api.admin
  const client = connect({ server: `https://127.0.0.1:${api.port}`, ca: api.ca.cert, cert, key })
  started.defer(() => client.close())
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'SERVER', 'certificate-authority-data': base64(api.ca.cert) } }],
    users: [{ name: 'u', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  })
  return {
    ours: { kind: 'kubernetes', client },
    theirs: { kind: 'kubernetes', port: api.port, kubeconfig, config },
    async lease({ name }) {
      const { annotations = {} } = (await api.call('GET', `/api/v1/nodes/${name}`)).metadata
      return [annotations[annotation('backend-type')], annotations[annotation('public-ip')]]
    },
  }
}

async function inEtcd(nodes: readonly TestNode[], config: object, started: AsyncDisposableStack): Promise<Shared> {
  const etcd = started.use(await EtcdCluster.start())
  const client = new EtcdClient({ servers: etcd.urls })
  started.defer(() => client.close())
  const text = JSON.stringify({ ...config, SubnetMin: '10.244.0.0' })
  await client.put(`${prefix}/config`, new TextEncoder().encode(text))
  const pools = parsePools(text, parseNetworkConfig(text) as NetworkConfig)
  assert.ok(typeof pools !== 'string')
  const previous = { 4: nodes[0]!.subnets[4] }
  return {
    ours: { kind: 'etcd', client, prefix, pools, previous, renewMarginMs: 3_600_000 },
    theirs: { kind: 'etcd', port: Number(new URL(etcd.urls[0]!).port) },
    async lease({ subnets }) {
      const { items } = await client.range({ key: `${prefix}/subnets/${subnets[4].replace('/', '-')}` })
      const { BackendType, PublicIP } = JSON.parse(new TextDecoder().decode(items[0]?.value ?? Buffer.from('{}')))
      return [BackendType ?? '', PublicIP]
    },
  }
}

for (const [keeper, share] of Object.entries({ Kubernetes: inKubernetes, etcd: inEtcd }))
  for (const type of ['vxlan', 'host-gw', 'udp'])
    test(`shared: ${type} with flannel's own program, leases in ${keeper}`, { skip, timeout: 180_000 }, async () => {
      await using started = new AsyncDisposableStack()
      const cluster = started.use(await makeNodes({ count: 2 }))
      const [one, two] = cluster.nodes as [TestNode, TestNode]
      const config = { Network: network, Backend: { Type: type } }
      const shared = await share(cluster.nodes, config, started)
      const startTheirs = () => startFlanneld(program!, two, shared.theirs)
      const startOurs = () => one.start({ type }, { keeper: shared.ours })
      let ours = startOurs()
      started.defer(() => ours.stop())
      let theirs = await startTheirs()
      started.defer(() => theirs.kill('SIGTERM'))
      const said = () => `${ours.lines.join('\n')}\n\n${theirs.said()}`
      const weKnow = () => ours.registry.render().includes('flannel_peers{family="IPv4"} 1\n')
      const theyKnow = () =>
        type === 'udp' ? two.show('ip', 'link').includes('flannel0') : two.show('ip', 'route').includes(one.subnets[4])
      await untilTrue(weKnow, said)
      await untilTrue(theyKnow, said)
      const theirMtu = () => Number(/FLANNEL_MTU=(\d+)/.exec(readFileSync(theirs.subnetFile, 'utf8'))?.[1])
      await untilTrue(() => theirMtu() > 0, said)
      const mtu = theirMtu()
      assert.match(one.subnetFile(), new RegExp(`^FLANNEL_MTU=${mtu}$`, 'm'))
      for (const node of cluster.nodes) node.connectPod(mtu)
      await using _first = await serveInPod(one)
      await using _second = await serveInPod(two)
      const bothWays = async () => {
        const sizes = [1, mtu - 28, 9000]
        for (const [from, to] of [
          [one, two],
          [two, one],
        ] as const) {
          // What the original tells its own forwarder of udp takes effect some time later.
          await untilTrue(() => talk(from, to.pod[4], [1], 1).udp.length === 1, said)
          assert.deepEqual(talk(from, to.pod[4], sizes), { tcp: tcpBytes, udp: sizes }, said())
        }
      }
      await bothWays()
      assert.deepEqual(await shared.lease(one), [type, one.ips[4]], said())
      // The original's udp back end says no type.
      assert.deepEqual(await shared.lease(two), [type === 'udp' ? '' : type, two.ips[4]], said())

      await theirs.kill('SIGKILL')
      theirs = await startTheirs()
      await ours.stop()
      ours = startOurs()
      await untilTrue(weKnow, said)
      await untilTrue(theyKnow, said)
      await bothWays()
    })
