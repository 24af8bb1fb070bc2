// What kube-proxy leaves in each of its settings, as recorded, is healthy in every mode and family; then IPVS broken.
import * as assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compare } from '#doctor/compare/compare.ts'
import { diagnose } from '#doctor/diagnose.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { readView } from '#doctor/view.ts'
import { applied, type Change, changed, edit, recordedProxy } from '#test/doctor-snapshot.ts'

for (const file of readdirSync('src/proxy/testdata').filter((name) => /\.(save|ipvs)$/.test(name)))
  test(`kube-proxy's rules do what the objects demand: ${file}`, () => {
    const view = readView(recordedProxy(file))
    const { differences } = compare(view)
    assert.deepEqual(
      differences.map(({ kind, front, asker, targets }) =>
        [kind, front.service, front.kind, asker, ...targets].join(' '),
      ),
      [],
    )
    // The Services of semantics.yaml are odd on purpose.
    const { findings } = diagnose(view)
    if (!file.startsWith('semantics.')) assert.deepEqual(findings, [])
    assert.deepEqual(view.problems, [])
  })

test('kube-proxy in nftables mode: by the kernel, and as nft prints it', () => {
  const files = openInputs(['src/doctor/testdata/kube-proxy'])
  const text = readFileSync('src/doctor/testdata/kube-proxy.nft', 'utf8')
  const [binary, printed] = ['nftables.json', 'nft.txt'].map((kept) =>
    files.flatMap((item) =>
      item.file.endsWith('node-1/nftables.json') && kept === 'nft.txt'
        ? [{ file: item.file.replace('nftables.json', kept), text }]
        : [item],
    ),
  )
  for (const own of [binary!, printed!]) {
    const codesOf = (...changes: readonly Change[]) =>
      diagnose(readView(applied(own, changes))).findings.map(({ code, about }) => `${code} ${about}`)
    assert.deepEqual(codesOf(), [])
    const stale = codesOf(edit('endpointslices.json', '"10.244.1.3"', '"10.244.1.200"'))
    assert.deepEqual(stale, ['StaleEndpoint svc/default/hostnames', 'StaleEndpoint svc/default/hostnames-nodeport'])
  }
})

test('both families of one node at once', () => {
  const [v4, objects] = recordedProxy('semantics.v4.save')
  const [v6] = recordedProxy('semantics.v6.save')
  assert.deepEqual(compare(readView([v4!, v6!, objects!])).differences, [])
})

const broken: readonly {
  readonly name: string
  readonly picture: string
  readonly changes: readonly Change[]
  readonly roots: readonly string[]
  readonly evidence: RegExp
}[] = [
  {
    name: "an external address that is a node's",
    picture: 'seeds.ipvs',
    changes: [
      edit(
        'ip.txt',
        '"ifname":"kube-ipvs0","flags":["UP","LOWER_UP"],"mtu":1500,"addr_info":[',
        '"ifname":"kube-ipvs0","flags":["UP","LOWER_UP"],"mtu":1500,"addr_info":[{"family":"inet","local":"10.168.0.2","prefixlen":32,"scope":"global"},',
      ),
      edit('seeds.yaml', '  clusterIP: 10.98.126.255', '  externalIPs: [10.168.0.2]\n  clusterIP: 10.98.126.255'),
      edit(
        'ipvsadm.txt',
        '-A -t 10.168.0.2:30001 -s rr',
        [
          '-A -t 10.168.0.2:8080 -s rr',
          ...[5, 6, 7, 8].map((n) => `-a -t 10.168.0.2:8080 -r 10.244.1.${n}:80 -m -w 1`),
          '-A -t 10.168.0.2:30001 -s rr',
        ].join('\n'),
      ),
      edit('ipset.txt', /^(create KUBE-EXTERNAL-IP .*)$/, '$1\nadd KUBE-EXTERNAL-IP 10.168.0.2,tcp:8080'),
    ],
    roots: ['ExternalIpIsNode svc/default/nodeportservice'],
    evidence: /node-1: kube-ipvs0 has 10\.168\.0\.2/,
  },
  {
    name: 'ARP for an address on the network of the nodes',
    picture: 'addresses.ipvs',
    changes: [
      ['variants.yaml', 'ip.txt', 'ipvsadm.txt', 'ipset.txt'].map((file) =>
        edit(file, '203.0.113.101', '10.168.0.101'),
      ),
    ].flat(),
    roots: ['ArpNotStrict node/node-1'],
    evidence: /arp_ignore = 0/,
  },
  {
    name: 'connections to real servers that are gone',
    picture: 'seeds.ipvs',
    changes: [edit('sysctl.txt', 'expire_nodest_conn = 1', 'expire_nodest_conn = 0')],
    roots: ['IpvsReuse node/node-1'],
    evidence: /expire_nodest_conn = 0/,
  },
  {
    name: 'a real server that is gone',
    picture: 'seeds.ipvs',
    changes: [
      edit('ipvsadm.txt', '-t 10.110.244.138:8080 -r 10.244.1.5:80', '-t 10.110.244.138:8080 -r 10.244.1.99:80'),
    ],
    roots: ['StaleEndpoint svc/default/clusteripservice'],
    evidence: /10\.244\.1\.99:80/,
  },
  {
    name: 'a virtual server without real ones',
    picture: 'seeds.ipvs',
    changes: [edit('ipvsadm.txt', /^-a -t 10\.110\.244\.138:8080 .*\n/, '')],
    roots: ['StaleRefusal svc/default/clusteripservice'],
    evidence: /no real server/,
  },
  {
    name: 'a virtual server that is missing',
    picture: 'seeds.ipvs',
    changes: [edit('ipvsadm.txt', /^-[aA] -t 10\.110\.244\.138:8080 .*\n/, '')],
    roots: ['RulesMissing svc/default/clusteripservice'],
    evidence: /10\.110\.244\.138:8080\/tcp of default\/clusteripservice: no rule takes it up/,
  },
]

for (const { name, picture, changes, roots, evidence } of broken)
  test(`IPVS: ${name}`, () => {
    const { findings } = diagnose(readView(applied(recordedProxy(picture), changes)))
    assert.deepEqual(
      findings.map(({ code, about }) => `${code} ${about}`),
      roots,
    )
    assert.match(findings.flatMap((item) => item.evidence).join('\n'), evidence)
  })

const healthy: readonly (readonly [name: string, changes: readonly Change[]])[] = [
  [
    'a tunnel that a program carries: nobody knows where it leads',
    [
      edit(
        'ip-addr.json',
        /"ifname":"flannel\.1","flags":\["UP","LOWER_UP"\],"mtu":1450,"link_type":"ether","address":"[^"]*","linkinfo":\{"info_kind":"vxlan","info_data":\{[^}]*\}/,
        '"ifname":"flannel0","flags":["POINTOPOINT","NOARP","UP","LOWER_UP"],"mtu":1450,"link_type":"none","linkinfo":{"info_kind":"tun"',
      ),
      edit(
        'ip-route.json',
        /"gateway":"10\.244\.\d\.0","dev":"flannel\.1","flags":\["onlink"\]/,
        '"dev":"flannel0","flags":[]',
      ),
    ],
  ],
  [
    "a server of the node's own at the address of the cluster DNS",
    [
      edit(
        'node-1/ip-addr.json',
        '{"family":"inet","local":"10.168.0.2"',
        '{"family":"inet","local":"10.96.0.10","prefixlen":32,"scope":"global"},{"family":"inet","local":"10.168.0.2"',
      ),
      edit(
        'node-1/sockets.txt',
        /^tcp   LISTEN 0      0      0\.0\.0\.0:10256/,
        [
          'udp   UNCONN 0      0      10.96.0.10:53      *:*',
          ...[53, 9153].map((port) => `tcp   LISTEN 0      0      10.96.0.10:${port}      *:*`),
          '$&',
        ].join('\n'),
      ),
      edit('node-1/iptables-save.txt', /^.*-A KUBE-SERVICES -d 10\.96\.0\.10.*\n/, ''),
    ],
  ],
]

for (const [name, changes] of healthy)
  test(`healthy all the same: ${name}`, () => assert.deepEqual(diagnose(readView(changed(...changes))).findings, []))
