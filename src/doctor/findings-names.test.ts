// Faults of the cluster's DNS, made in the recorded snapshot of a healthy cluster, and what is no fault although it looks like one.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardsOf } from '#doctor/dns/forwards.ts'
import { readView } from '#doctor/view.ts'
import {
  addObject,
  type Change,
  edit,
  insert,
  object,
  withoutFiles,
  type Row,
  testRows,
} from '#test/doctor-snapshot.ts'

const map = 'configmap/kube-system/kube-dns'
const forwardTo = (words: string): Change => edit('configmaps.json', 'forward . /etc/resolv.conf', `forward . ${words}`)
/** As the pods of the DNS have it. */
const asked = (text: string): Change => edit('resolv.conf', /^nameserver 10\.255\.255\.53\n/, text)
const ofPodsUnknown = withoutFiles(/pods\/kube-system\/.*resolv\.conf/)
const stub = (to: string): Change =>
  edit('configmaps.json', '.:53 {', `example.org:53 {\\n    forward . ${to}\\n}\\n.:53 {`)
const sleeping = object('pods', 'kube-dns', ({ status }) => {
  status.conditions.find(({ type }: { type: string }) => type === 'Ready').status = 'False'
  for (const container of status.containerStatuses) container.ready = false
})
/** As NodeLocal DNSCache leaves it: the Service's address on a device of the node, and no connection tracking for it. */
const nodeLocal = (isAlive: boolean): readonly Change[] => [
  edit(
    'node-1/ip-addr.json',
    /^\[/,
    '[{"ifindex":90,"ifname":"nodelocaldns","flags":["BROADCAST","NOARP","UP","LOWER_UP"],"mtu":1500,"linkinfo":{"info_kind":"dummy"},"addr_info":[{"family":"inet","local":"10.96.0.10","prefixlen":32,"scope":"global"}]},',
  ),
  edit(
    'node-1/iptables-save.txt',
    /^\*nat$/,
    '*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK\n-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 53 -j NOTRACK\n-A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 9153 -j NOTRACK\nCOMMIT\n*nat',
  ),
  ...(isAlive
    ? [
        insert(
          'node-1/sockets.txt',
          /./,
          [
            'udp   UNCONN 0      0      10.96.0.10:53      *:*',
            ...[53, 9153].map((port) => `tcp   LISTEN 0      0      10.96.0.10:${port}      *:*`),
          ].join('\n'),
          'before' as const,
        ),
      ]
    : []),
]

const rows: readonly Row[] = [
  {
    name: 'the Service of the DNS among its own servers',
    changes: [forwardTo('10.96.0.10')],
    roots: [`DnsLoop ${map}`],
    evidence: /line 13 of the Corefile: forward \. 10\.96\.0\.10/,
  },
  {
    name: 'a resolv.conf of systemd-resolved in the pods of the DNS',
    changes: [asked('nameserver 127.0.0.53\n')],
    roots: [`DnsLoop ${map}`],
    evidence: /pod kube-system\/kube-dns-\S+: resolv\.conf: nameserver 127\.0\.0\.53/,
  },
  {
    name: 'the same, of which only the nodes tell, and pods that do not start',
    changes: [asked('nameserver 127.0.0.53\n'), ofPodsUnknown, sleeping],
    roots: [`DnsLoop ${map}`],
    evidence: /node-1: resolv\.conf: nameserver 127\.0\.0\.53/,
  },
  {
    name: 'the same, with pods that live: their kubelet has another file',
    changes: [asked('nameserver 127.0.0.53\n'), ofPodsUnknown],
    roots: [],
  },
  {
    name: 'a resolv.conf without a server',
    changes: [asked('# generated\n')],
    roots: [`DnsUpstreamMissing ${map}`],
    evidence: /resolv\.conf: no nameserver/,
  },
  {
    name: 'a policy of the pods of the DNS by which they ask themselves',
    changes: [ofPodsUnknown, object('pods', 'kube-dns', ({ spec }) => (spec.dnsPolicy = 'ClusterFirst'))],
    roots: [`DnsLoop ${map}`],
    evidence: /dnsPolicy ClusterFirst: nameserver 10\.96\.0\.10/,
  },
  {
    name: 'another port of its own, at which nobody listens',
    changes: [forwardTo('127.0.0.1:5301')],
    roots: [`DnsUpstreamFails ${map}`],
  },
  {
    name: 'another port of its own, at which another block listens',
    changes: [
      forwardTo('127.0.0.1:5301'),
      edit('kube-dns-5cfd5d8998-6pb96/sockets.txt', /^(udp .*):53 /, '$1:53 *:*\n$1:5301 '),
      edit('kube-dns-5cfd5d8998-w6gs2/sockets.txt', /^(udp .*):53 /, '$1:53 *:*\n$1:5301 '),
    ],
    roots: [],
  },
  {
    name: 'a Corefile that is not closed',
    changes: [edit('configmaps.json', 'cache 30', 'cache 30 {')],
    roots: [`CorefileBroken ${map}`],
    evidence: /line 1: \.:53 \{/,
  },
  {
    name: 'a stub domain at an address that no pod has',
    changes: [stub('10.244.0.200')],
    roots: [`DnsUpstreamFails ${map}, example.org`],
    evidence: /nobody on cni0 has the address 10\.244\.0\.200/,
  },
  { name: 'a stub domain at a server of the network', changes: [stub('192.0.2.53')], roots: [] },
  {
    name: 'a stub domain at a Service without endpoints',
    changes: [
      stub('10.100.0.53'),
      addObject('services', 'Service', {
        metadata: { namespace: 'default', name: 'corp' },
        spec: {
          clusterIP: '10.100.0.53',
          clusterIPs: ['10.100.0.53'],
          selector: { app: 'corp' },
          ports: [{ port: 53, protocol: 'UDP' }],
        },
      }),
      ...['node-1', 'node-2'].map((node) =>
        insert(
          `${node}/iptables-save.txt`,
          /-A FORWARD /,
          '-A FORWARD -d 10.100.0.53/32 -p udp -m comment --comment "default/corp has no endpoints" -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable',
          'before',
        ),
      ),
    ],
    roots: ['NoPodMatches svc/default/corp'],
  },
  {
    name: 'a firewall that lets no question out',
    changes: ['node-1', 'node-2'].map((node) =>
      insert(
        `${node}/iptables-save.txt`,
        /-A FORWARD /,
        '-A FORWARD ! -d 10.244.0.0/16 -p udp -m udp --dport 53 -j DROP',
        'before',
      ),
    ),
    roots: [`DnsUpstreamFails ${map}`],
    evidence: /-A FORWARD ! -d 10\.244\.0\.0\/16 -p udp -m udp --dport 53 -j DROP/,
  },
  {
    name: "a node's own server that has died, and left its address",
    changes: nodeLocal(false),
    roots: ['NodeDnsDown node/node-1'],
    evidence: /nodelocaldns has 10\.96\.0\.10/,
  },
  { name: "a node's own server that lives", changes: nodeLocal(true), roots: [] },
  {
    name: 'pods that ask an address of the link, which no interface has',
    changes: [
      edit('pods/default/hostnames-5c8dd7776d-6v8qm/resolv.conf', 'nameserver 10.96.0.10', 'nameserver 169.254.20.10'),
      edit('pods/default/hostnames-5c8dd7776d-bd7vg/resolv.conf', 'nameserver 10.96.0.10', 'nameserver 169.254.20.10'),
    ],
    roots: ['NodeDnsDown node/node-1', 'NodeDnsDown node/node-2'],
    evidence: /no interface has 169\.254\.20\.10/,
  },
]

testRows('names', rows)

test('names: whom a Corefile and the ConfigMap of the old kube-dns ask', () => {
  const text =
    `consul.local:8600 example.org { forward . 10.0.0.1:8600 tls://9.9.9.9 [2001:db8::1]:54 fd00::1 dns://1.1.1.1 }
    .:53 {
      bind 169.254.20.10
      loop
      forward example.net /etc/resolv.conf
      forward . https://dns.example/ {
        max_concurrent 10
      }
    }`
      .replace(' { forward', ' {\nforward')
      .replace('1.1.1.1 }', '1.1.1.1\n}')
  const { forwards } = forwardsOf(
    readView([
      {
        file: 'maps.json',
        text: JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { namespace: 'kube-system', name: 'coredns' },
          data: {
            Corefile: text,
            stubDomains: '{"acme.local": ["1.2.3.4", "1.2.3.5:5353"]}',
            upstreamNameservers: '["8.8.8.8"]',
          },
        }),
      },
    ]),
  )
  assert.deepEqual(
    forwards.map(({ zone, where, targets, port, binds, endsInLoops }) => [
      zone,
      where,
      targets
        .map((target) => (target.kind === 'file' ? target.path : `${target.ip} ${target.port}/${target.protocol}`))
        .join(', '),
      port,
      binds.join(),
      endsInLoops,
    ]),
    [
      [
        'consul.local example.org',
        'line 2 of the Corefile',
        '10.0.0.1 8600/udp, 9.9.9.9 853/tcp, 2001:db8::1 54/udp, fd00::1 53/udp, 1.1.1.1 53/udp',
        8600,
        '',
        false,
      ],
      ['example.net', 'line 7 of the Corefile', '/etc/resolv.conf', 53, '169.254.20.10', true],
      ['.', 'line 8 of the Corefile', '', 53, '169.254.20.10', true],
      ['acme.local', 'stubDomains', '1.2.3.4 53/udp, 1.2.3.5 5353/udp', 53, '', false],
      ['.', 'upstreamNameservers', '8.8.8.8 53/udp', 53, '', false],
    ],
  )
})
