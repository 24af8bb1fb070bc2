// Bundles as people have them: what `kubectl cluster-info dump` printed, must-gather's folders, and parts of either.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { stringify } from 'yaml'
import { diagnose } from '#doctor/diagnose.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { readView } from '#doctor/view.ts'
import { encodeTar } from '#lib/tar.ts'
import { applied, type Change, changed, edit, type Files, recorded, withoutFiles } from '#test/doctor-snapshot.ts'

const diagnosed = (files: Files) => {
  const view = readView(files)
  assert.deepEqual(view.problems, [])
  const { findings, undecided } = diagnose(view)
  return { roots: findings.map(({ code, about }) => `${code} ${about}`), undecided: undecided.join('\n') }
}
const wrongSelector = (file: string): Change => edit(file, /("selector": \{\n\s+"app"): "hostnames"/, '$1: "hostname"')
const selectors = ['NoPodMatches svc/default/hostnames', 'NoPodMatches svc/default/hostnames-nodeport']

/** kubectl 1.36 made it of two nodes; events and what no one reads were cut out by hand. */
const dump = openInputs(['src/doctor/testdata/cluster-info'])

test('cluster-info dump: a folder', () => {
  const { roots, undecided } = diagnosed(dump)
  assert.deepEqual(roots, [])
  assert.match(undecided, /whoever stands behind Services is taken from pods and selectors/)
  assert.match(undecided, /no state of any node/)
  assert.ok(dump.every(({ file }) => !file.endsWith('logs.txt')))
})

/** As it is printed where no folder was named. */
const printed = (files: Files): Files => [
  {
    file: 'dump.txt',
    text: files
      .map(({ text }) => `${text.trimEnd()}\n`)
      .join(
        '==== START logs for container a of pod default/b ====\nnet.ipv4.ip_forward = 0\n==== END logs for container a of pod default/b ====\n',
      ),
  },
]

test('cluster-info dump: one text, documents and logs one after the other', () => {
  assert.deepEqual(diagnosed(printed(dump)).roots, [])
  assert.deepEqual(diagnosed(applied(printed(dump), [wrongSelector('dump.txt')])).roots, selectors)
})

test('cluster-info dump: a selector that matches nobody, and pods that are not ready', () => {
  assert.deepEqual(diagnosed(applied(dump, [wrongSelector('default/services.json')])).roots, selectors)
  const unready = edit(
    'default/pods.json',
    /"type": "Ready",\n(\s+)"status": "True"/,
    '"type": "Ready",\n$1"status": "False"',
  )
  const { roots } = diagnosed(applied(dump, [unready]))
  assert.deepEqual(roots, ['PodsNotReady svc/default/hostnames', 'PodsNotReady svc/default/hostnames-nodeport'])
})

/** The recorded cluster as OpenShift's must-gather lays it out: YAML by namespace, and what was taken on each node. */
function mustGather(files: Files): Files {
  const root = 'must-gather.local.4711/quay-io-example-sha256-1'
  return files.flatMap(({ file, text }) => {
    const name = file.replace('iptables/', '')
    if (!name.startsWith('objects/')) return name.startsWith('fairway') ? [] : [{ file: `${root}/${name}`, text }]
    const { kind, items } = JSON.parse(text) as {
      kind: string
      items: { metadata: { namespace?: string; name: string } }[]
    }
    const yaml = (value: unknown) => `---\n${stringify(value)}`
    if (kind === 'NodeList')
      return items.map((item) => ({
        file: `${root}/cluster-scoped-resources/core/nodes/${item.metadata.name}.yaml`,
        text: yaml(item),
      }))
    const plural = name.replace(/^objects\/|\.json$/g, '')
    const group = kind === 'EndpointSliceList' ? 'discovery.k8s.io' : 'core'
    return [...Map.groupBy(items, ({ metadata }) => metadata.namespace ?? '')].flatMap(([namespace, own]) => [
      {
        file: `${root}/namespaces/${namespace}/${group}/${plural}.yaml`,
        text: yaml({ apiVersion: 'v1', kind, items: own }),
      },
      ...(kind === 'PodList'
        ? own.map((item) => ({
            file: `${root}/namespaces/${namespace}/pods/${item.metadata.name}/${item.metadata.name}.yaml`,
            text: yaml(item),
          }))
        : []),
    ])
  })
}

test('must-gather: a tree, and an archive of it with logs inside', () => {
  assert.deepEqual(diagnosed(mustGather(recorded)), { roots: [], undecided: '' })
  const stale = edit('node-1/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376')
  const files = mustGather(changed(stale))
  const folder = mkdtempSync(join(tmpdir(), 'must-gather-'))
  try {
    const log = {
      name: 'must-gather.local.4711/namespaces/default/pods/a/a/logs/current.log',
      data: new TextEncoder().encode('*nat\n'),
    }
    const members = files.map(({ file, text }) => ({ name: file, data: new TextEncoder().encode(text) }))
    writeFileSync(join(folder, 'must-gather.tar.gz'), gzipSync(encodeTar([log, ...members])))
    assert.deepEqual(diagnosed(openInputs([join(folder, 'must-gather.tar.gz')])).roots, [
      'StaleEndpoint svc/default/hostnames',
      'StaleEndpoint svc/default/hostnames-nodeport',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Where sosreport puts what the recorded nodes said; `ss` as it is called there. */
const sosNames: Readonly<Record<string, string>> = {
  'iptables-save.txt': 'firewall_tables/iptables-save',
  'ip6tables-save.txt': 'firewall_tables/ip6tables-save',
  'ip-addr.json': 'networking/ip_-d_address',
  'ip-route.json': 'networking/ip_route_show_table_all',
  'ip-rule4.txt': 'networking/ip_-4_rule_list',
  'ip-rule6.txt': 'networking/ip_-6_rule_list',
  'ip-neigh.txt': 'networking/ip_-s_-s_neigh_show',
  'bridge-fdb.txt': 'networking/bridge_-s_-s_-d_fdb_show',
  'ethtool-flannel.1.txt': 'networking/ethtool_-k_flannel.1',
  'conntrack.txt': 'conntrack/conntrack_-L_-o_extended',
  'conntrack-stats.txt': 'conntrack/conntrack_-S',
  'ipset.txt': 'ipset/ipset_save',
  'sysctl.txt': 'kernel/sysctl_-a',
  'sockets.txt': 'networking/ss_-peaonmi',
}

function sosReports(files: Files): Files {
  const noise = (root: string, node: string): Files => [
    { file: `${root}/sos_commands/host/hostname`, text: `${node}\n` },
    { file: `${root}/etc/sysctl.d/99-site.conf`, text: 'net.ipv4.ip_forward = 0\n' },
    {
      file: `${root}/sos_commands/networking/ip_netns_exec_cni-1_iptables-save`,
      text: '*nat\n-A OUTPUT -j DROP\nCOMMIT\n',
    },
    { file: `${root}/proc/meminfo`, text: 'MemTotal: 1 kB\n' },
    { file: `${root}/sos_commands/networking/ethtool_-i_eth0`, text: 'driver: veth\n' },
  ]
  return files.flatMap(({ file, text }): Files => {
    const [, node, name = ''] = /nodes\/([^/]+)\/([^/]+)$/.exec(file) ?? []
    if (node === undefined) return /objects\//.test(file) ? [{ file, text }] : []
    const root = `sosreport-${node}-2026-11-26-abcdefg`
    const place = sosNames[name]
    if (name === 'resolv.conf') return [{ file: `${root}/etc/resolv.conf`, text }, ...noise(root, node)]
    if (place === undefined) return []
    const details = text.replaceAll(
      /^(\S.*)$/gm,
      '$1 users:(("a",pid=1,fd=3)) ino:1 sk:2\n\t skmem:(r0,rb212992) cubic cwnd:10',
    )
    const said =
      name === 'sockets.txt'
        ? `Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port\n${details}u_str ESTAB 0 0 * 1 * 2 ino:1\n`
        : text
    return [{ file: `${root}/sos_commands/${place}`, text: said }]
  })
}

test('sosreports of nodes, with the objects from elsewhere', () => {
  const { roots, undecided } = diagnosed(sosReports(recorded))
  assert.deepEqual(roots, [])
  assert.equal(undecided, '')
  const broken = changed(
    edit('node-2/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376'),
    edit('node-1/sysctl.txt', /^net\.ipv4\.ip_forward = 1$/, 'net.ipv4.ip_forward = 0'),
  )
  const view = readView(sosReports(broken))
  assert.deepEqual(
    view.nodes.map(({ name, machine, sockets }) => [name, machine.routes !== undefined, sockets?.length !== undefined]),
    [
      ['node-1', true, true],
      ['node-2', true, true],
    ],
  )
  const { findings } = diagnose(view)
  assert.deepEqual(
    findings.map(({ code, nodes }) => [code, ...nodes]),
    [
      ['ForwardingOff', 'node-1'],
      ['StaleEndpoint', 'node-2'],
      ['StaleEndpoint', 'node-2'],
    ],
  )
})

test("Rancher's collector: a folder for each node, named by what is in it", () => {
  const files = recorded.flatMap(({ file, text }): Files => {
    const [, node, name = ''] = /nodes\/([^/]+)\/([^/]+)$/.exec(file) ?? []
    if (node === undefined) return /objects\//.test(file) ? [{ file, text }] : []
    const root = `${node === 'node-1' ? 'a' : 'b'}-2026-11-26_10_00_00`
    const names: Readonly<Record<string, string>> = {
      'iptables-save.txt': 'networking/iptablessave',
      'ip6tables-save.txt': 'networking/ip6tablessave',
      'ip-addr.json': 'networking/ipaddrshow',
      'ip-route.json': 'networking/iproute',
      'ip-neigh.txt': 'networking/ipneighbour',
      'ip-rule4.txt': 'networking/iprule',
      'sockets.txt': 'networking/ssanp',
      'sysctl.txt': 'systeminfo/sysctla',
      'proxy-healthz.txt': 'k3s/kubectl/version',
      'resolv.conf': 'systeminfo/hostname',
    }
    const place = names[name]
    return place === undefined ? [] : [{ file: `${root}/${place}`, text: name === 'resolv.conf' ? `${node}\n` : text }]
  })
  const { roots, undecided } = diagnosed(files)
  assert.deepEqual(roots, [])
  assert.equal(undecided, 'node-1: not given: conntrack -L\nnode-2: not given: conntrack -L')
})

test('files that nobody reads are named together', () => {
  const strange = Array.from({ length: 30 }, (_, i) => ({ file: `host_service_logs/${i}.txt`, text: 'hello\n' }))
  assert.deepEqual(readView([...recorded, ...strange]).problems, [
    '30 files are left out, as it is not known what they are: host_service_logs/0.txt, host_service_logs/1.txt, host_service_logs/2.txt ...',
  ])
})

test('no EndpointSlices: Endpoints tell who stands behind Services, or pods do', () => {
  const stale = edit('node-1/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376')
  const podsOnly = withoutFiles(/endpointslices/)
  assert.deepEqual(diagnosed(changed(podsOnly)).roots, [])
  assert.deepEqual(diagnosed(changed(podsOnly, stale)).roots, [
    'StaleEndpoint svc/default/hostnames',
    'StaleEndpoint svc/default/hostnames-nodeport',
  ])
  const endpoint = (name: string, ip: string, port: object) => ({
    metadata: { namespace: name.startsWith('kube-dns') ? 'kube-system' : 'default', name },
    subsets: [{ addresses: ip.split(' ').map((one) => ({ ip: one })), ports: [port].flat() }],
  })
  const pods = '10.244.0.3 10.244.0.4 10.244.1.3'
  const items = [
    endpoint('kubernetes', '10.168.0.250', { name: 'https', port: 6443 }),
    endpoint('hostnames', pods, { name: 'default', port: 9376 }),
    endpoint('hostnames-nodeport', pods, { name: 'http', port: 9376 }),
    endpoint('kube-dns', '10.244.0.2 10.244.1.2', [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      { name: 'metrics', port: 9153, protocol: 'TCP' },
    ]),
  ]
  const endpoints = {
    file: 'objects/endpoints.json',
    text: JSON.stringify({ apiVersion: 'v1', kind: 'EndpointsList', items }),
  }
  const { roots, undecided } = diagnosed([...changed(podsOnly), endpoints])
  assert.deepEqual(roots, [])
  assert.match(undecided, /is taken from Endpoints$/m)
})

test('one dump of rules alone says what it lacks', () => {
  const { roots, undecided } = diagnosed(recorded.filter(({ file }) => file.endsWith('node-1/iptables-save.txt')))
  assert.deepEqual(roots, [])
  for (const lack of [/no Services/, /no EndpointSlices/, /no pods/, /node-1: not given: ip -d -j addr/])
    assert.match(undecided, lack)
})
