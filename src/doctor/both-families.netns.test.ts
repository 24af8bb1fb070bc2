// Two nodes with real proxies, pods and Services in both families: nothing is wrong; then one family is broken and the other is not. In
// the virtual machine also in IPVS mode.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { nodeFile, podFile, type SnapshotFile } from '#doctor/snapshot/snapshot.ts'
import { readView } from '#doctor/view.ts'
import { withNetns } from '#kernel/netns.ts'
import { need } from '#test/need.ts'
import { ProxyCluster } from '#test/proxy-cluster.ts'
import { modes } from '#test/proxy-modes.ts'
import { addresses } from '#test/proxy-topology.ts'

const skip = need({ root: true, programs: ['nft', 'iptables', 'sysctl', 'ip'] })
const services = ['web', 'open']
const pods = { a: 1, b: 1, c: 2 } as const
const nodes = [1, 2] as const

type Dual = { readonly 4: string; readonly 6: string }
const ipsOf = (ips: Dual) => [{ ip: ips[4] }, { ip: ips[6] }]

function objectsOf(cluster: ProxyCluster): SnapshotFile {
  const own = services.map((name) => cluster.objects(name))
  const items = [
    ...own.flatMap(({ service }) => ({ apiVersion: 'v1', kind: 'Service', ...service })),
    ...own.flatMap(({ slices }) =>
      slices.map((slice) => ({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...slice })),
    ),
    ...nodes.map((n) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${n}` },
      spec: { podCIDRs: [`10.244.${n - 1}.0/24`, `fd00:244:0:${n - 1}::/64`] },
      status: { addresses: ipsOf(addresses[`node${n}`]).map(({ ip }) => ({ type: 'InternalIP', address: ip })) },
    })),
    ...Object.entries(pods).map(([name, node]) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'demo', name, labels: { app: 'web' } },
      spec: { nodeName: `node-${node}`, containers: [{ name: 'main' }] },
      status: {
        phase: 'Running',
        podIP: addresses[name as keyof typeof pods][4],
        podIPs: ipsOf(addresses[name as keyof typeof pods]),
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    })),
  ]
  return { file: 'objects/all.json', text: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) }
}

async function look(cluster: ProxyCluster) {
  const files = [objectsOf(cluster)]
  for (const n of nodes)
    for (const { name, text } of (await collectNamespace(cluster.net[`node${n}`].netns)).files)
      files.push({ file: nodeFile(`node-${n}`, name), text })
  for (const pod of ['a', 'b', 'c'] as const)
    for (const { name, text } of (await collectNamespace(cluster.net[pod].netns, false)).files)
      files.push({ file: podFile('demo', pod, name), text })
  return diagnose(readView(files)).findings
}

const onNode1 = (cluster: ProxyCluster, script: string) => {
  const { status, stderr } = withNetns(cluster.net.node1.netns, () =>
    spawnSync('sh', ['-c', script], { encoding: 'utf8' }),
  )
  assert.equal(status, 0, stderr)
}

type Change = { make(cluster: ProxyCluster): Promise<void>; undo(cluster: ProxyCluster): Promise<void> }
type Row = {
  readonly name: string
  readonly family: 4 | 6
  readonly make: string
  readonly undo: string
  readonly codes: readonly string[]
  readonly modes?: readonly string[]
  /** objects that are changed before, and put back behind */
  readonly change?: Change
}
const open = (cluster: ProxyCluster, spec: object = {}, status: object = {}) =>
  cluster.service(
    'open',
    2,
    {
      selector: { app: 'web' },
      type: 'NodePort',
      ports: [{ name: 'tcp', port: 80, protocol: 'TCP', nodePort: 30_080 }],
      ...spec,
    },
    {},
    status,
  )
const withOpen = (spec: object, status: object = {}): Change => ({
  make: (cluster) => open(cluster, spec, status),
  undo: (cluster) => open(cluster),
})
const firewall = (family: 4 | 6) => {
  const [table, range] = family === 4 ? ['ip', 'ip daddr 10.244.0.0/16'] : ['ip6', 'ip6 daddr fd00:244::/32']
  return {
    make: `nft 'table ${table} site { chain out { type filter hook forward priority -5; ${range} tcp dport 8080 drop; }; }'`,
    undo: `nft delete table ${table} site`,
    // What IPVS sends on does not pass there.
    modes: ['nftables', 'iptables (nft)'],
  }
}
const rows: readonly Row[] = [
  { name: 'a firewall', family: 6, ...firewall(6), codes: ['FirewallDrops node/node-1'] },
  { name: 'a firewall', family: 4, ...firewall(4), codes: ['FirewallDrops node/node-1'] },
  {
    name: 'no route',
    family: 6,
    make: 'ip -6 route del fd00:244:0:1::/64',
    undo: `ip -6 route add fd00:244:0:1::/64 via ${addresses.node2[6]}`,
    codes: ['RouteMissing node/node-1'],
  },
  {
    name: 'no route',
    family: 4,
    make: 'ip route del 10.244.1.0/24',
    undo: `ip route add 10.244.1.0/24 via ${addresses.node2[4]}`,
    codes: ['RouteMissing node/node-1'],
  },
  {
    name: 'no forwarding',
    family: 6,
    make: 'sysctl -qw net.ipv6.conf.all.forwarding=0',
    // The kernel takes the routes of routers away with it.
    undo: `sysctl -qw net.ipv6.conf.all.forwarding=1; ip -6 route replace default via ${addresses.client[6]}`,
    codes: ['ForwardingOff node/node-1'],
  },
  {
    name: 'no rules',
    family: 6,
    make: 'nft delete table ip6 fairway-proxy',
    undo: 'true',
    codes: ['RulesMissing svc/demo/open', 'RulesMissing svc/demo/web'],
    modes: ['nftables'],
  },
  ...([4, 6] as const).flatMap((family): readonly Row[] => {
    const [vip, length, real] =
      family === 4 ? ['10.96.0.1', 32, '10.244.0.11:8080'] : ['fd00:96::1', 128, '[fd00:244:0:0::11]:8080']
    const server = `-t ${family === 4 ? vip : `[${vip}]`}:80`
    return [
      {
        name: 'a real server that is missing',
        family,
        make: `ipvsadm -d ${server} -r ${real}`,
        undo: `ipvsadm -a ${server} -r ${real} -m -w 1`,
        codes: ['EndpointMissing svc/demo/web'],
      },
      {
        name: 'a real server that gets nothing, by its weight',
        family,
        make: `ipvsadm -e ${server} -r ${real} -m -w 0`,
        undo: `ipvsadm -e ${server} -r ${real} -m -w 1`,
        codes: ['EndpointMissing svc/demo/web'],
      },
      {
        name: 'weights that differ',
        family,
        make: `ipvsadm -E ${server} -s wrr; ipvsadm -e ${server} -r ${real} -m -w 5`,
        undo: `ipvsadm -e ${server} -r ${real} -m -w 1; ipvsadm -E ${server} -s rr`,
        codes: ['UnevenShares svc/demo/web'],
      },
      {
        name: 'a virtual IP that kube-ipvs0 has lost',
        family,
        make: `ip addr del ${vip}/${length} dev kube-ipvs0`,
        undo: `ip addr add ${vip}/${length} dev kube-ipvs0`,
        codes: ['RulesMissing svc/demo/web'],
      },
      {
        name: "an external address that is another node's own",
        family,
        change: withOpen({ externalIPs: [addresses.node2[family]] }),
        make: 'true',
        undo: 'true',
        codes: ['ExternalIpIsNode svc/demo/open'],
      },
    ].map((row) => ({ ...row, modes: ['ipvs'] }))
  }),
  {
    name: 'ARP for an address on the network of the nodes',
    family: 4,
    change: withOpen({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '10.168.0.50' }] } }),
    make: 'true',
    undo: 'true',
    codes: ['ArpNotStrict node/node-1', 'ArpNotStrict node/node-2'],
    modes: ['ipvs'],
  },
  {
    name: 'connections to real servers that are gone',
    family: 4,
    make: 'sysctl -qw net.ipv4.vs.expire_nodest_conn=0',
    undo: 'sysctl -qw net.ipv4.vs.expire_nodest_conn=1',
    codes: ['IpvsReuse node/node-1'],
    modes: ['ipvs'],
  },
]

/** The virtual machine has a kernel with IPVS. */
const hasIpvs = existsSync('/proc/net/ip_vs')
for (const mode of modes.filter(
  ({ name }) => name.startsWith('nft') || name === 'iptables (nft)' || (name === 'ipvs' && hasIpvs),
))
  test(`both families, ${mode.name}: healthy, and broken in one family`, { skip, timeout: 600_000 }, async (t) => {
    await using cluster = await ProxyCluster.start(mode)
    // Where a proxy tells how it is.
    for (const n of nodes) await cluster.net[`node${n}`].serve(10_249)
    for (const name of services) await cluster.endpoints(name, 'a b c')
    await cluster.service('web', 1, { selector: { app: 'web' } })
    await open(cluster)
    assert.deepEqual(await look(cluster), [])
    for (const { name, family, change, make, undo, codes, modes: own } of rows) {
      if (own?.includes(mode.name) === false) continue
      await t.test(`${name}, IPv${family}`, async () => {
        await change?.make(cluster)
        onNode1(cluster, make)
        const findings = await look(cluster)
        assert.deepEqual(
          findings.map(({ code, about }) => `${code} ${about}`),
          codes,
        )
        const evidence = findings.flatMap((item) => [item, ...item.folded]).flatMap((item) => item.evidence)
        assert.doesNotMatch(evidence.join('\n'), family === 6 ? /\b10\.(96|244)\./ : /\bfd00:/)
        onNode1(cluster, undo)
        await change?.undo(cluster)
      })
    }
  })
