// The doctor in IPVS mode: healthy, and with what goes wrong there made for real. The proxies are dead, since they would put it right.
import { test } from 'node:test'
import { type Fault, makeAndMend, untilHealthy } from '#test/cluster/doctor-faults.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'

const skip = need({
  root: true,
  programs: ['kubectl', 'conmon', 'crun', 'ipvsadm', 'ipset', 'iptables', 'conntrack'],
  files: ['/proc/net/ip_vs'],
})

const node1 =
  (script: string, ...services: readonly string[]) =>
  (live: LiveCluster) => {
    const ips = services.map((name) => live.value('.spec.clusterIP', 'service', name))
    const { status, text } = live.sh(
      'node/node-1',
      script.replaceAll(/\$(\d)/g, (_, n: string) => ips[Number(n) - 1]!),
    )
    if (status !== 0) throw new Error(`${script}: ${text}`)
  }
const dead = (live: LiveCluster) => void live.fairway('node kill', 'node-1', '--part', 'proxy')
const realServer = (service: string) => `$(ipvsadm -Sn | awk '$3 == "${service}:80" && $1 == "-a" { print $5; exit }')`
/** Of whatever only follows from a proxy that is dead. */
const also = ['ProxyDown']

const faults: readonly Fault[] = [
  {
    name: 'a real server that is missing',
    code: 'EndpointMissing',
    about: 'svc/default/hostnames',
    also,
    make: node1(`ipvsadm -d -t $1:80 -r ${realServer('$1')}`, 'hostnames'),
  },
  {
    name: 'a real server that gets nothing, by its weight',
    code: 'EndpointMissing',
    about: 'svc/default/hostnames-nodeport',
    also,
    make: node1(`ipvsadm -e -t $1:80 -r ${realServer('$1')} -m -w 0`, 'hostnames-nodeport'),
  },
  {
    name: 'a virtual IP that kube-ipvs0 has lost',
    code: 'RulesMissing',
    about: 'svc/kube-system/kube-dns',
    also,
    make: (live) => {
      const ip = live.value('.spec.clusterIP', '-n', 'kube-system', 'service', 'kube-dns')
      node1(`ip addr del ${ip}/32 dev kube-ipvs0`)(live)
    },
  },
  {
    name: 'virtual servers that are gone',
    code: 'RulesMissing',
    about: 'svc/default/late',
    also,
    make: (live) => {
      live.kubectl('expose', 'deployment', 'hostnames', '--name', 'late', '--port', '80', '--target-port', '9376')
    },
    mend: (live) => void live.kubectl('delete', 'service', 'late'),
  },
]

const uneven: Fault = {
  name: 'weights that differ',
  code: 'UnevenShares',
  about: 'svc/default/hostnames',
  also,
  make: node1(`ipvsadm -E -t $1:80 -s wrr; ipvsadm -e -t $1:80 -r ${realServer('$1')} -m -w 5`, 'hostnames'),
}

/** Somebody writes a node's address into a Service, and a proxy without our guard carries it everywhere. */
const captured: Fault = {
  name: "an external address that is a node's own",
  code: 'ExternalIpIsNode',
  about: 'svc/default/hostnames',
  also,
  make: (live) => {
    live.kubectl('patch', 'service', 'hostnames', '-p', '{"spec":{"externalIPs":["10.168.0.3"]}}')
    node1(
      'ip addr add 10.168.0.3/32 dev kube-ipvs0; ipvsadm -A -t 10.168.0.3:80 -s rr; ipvsadm -a -t 10.168.0.3:80 -r 10.244.0.2:9376 -m',
    )(live)
  },
  mend: node1('ipvsadm -D -t 10.168.0.3:80'),
}

const settings: readonly Fault[] = [
  {
    name: 'connections to real servers that are gone',
    code: 'IpvsReuse',
    about: 'node/node-1',
    make: node1('sysctl -qw net.ipv4.vs.expire_nodest_conn=0'),
  },
  {
    name: 'ARP for an address on the network of the nodes',
    code: 'ArpNotStrict',
    about: 'node/node-1',
    make: node1('sysctl -qw net.ipv4.conf.all.arp_ignore=0'),
  },
]

test('doctor: ipvs', { skip, timeout: 840_000 }, async (t) => {
  const live = new LiveCluster('doctor-ipvs', [
    '--nodes',
    '2',
    '--proxy-mode',
    'ipvs',
    '--load-modules',
    '--wait',
    '300s',
    '-f',
    'examples/hostnames.yaml',
    '-f',
    'examples/load-balancer.yaml',
  ])
  try {
    await t.test('healthy', () => untilHealthy(live))
    await t.test('settings of the kernel', () => makeAndMend(live, settings))
    for (const list of [faults, [uneven], [captured]])
      await t.test(list.map(({ name }) => name).join('; '), async () => {
        dead(live)
        await makeAndMend(live, list)
      })
  } finally {
    live.down()
  }
})
