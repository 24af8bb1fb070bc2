// Faults of rules, kernels and networks, made in the recorded snapshot of a healthy cluster: what iptables-save, sysctl, ip, ss
// and conntrack would have said.
import {
  type Change,
  edit,
  insert,
  object,
  put,
  removeObject,
  without,
  type Row,
  testRows,
} from '#test/doctor-snapshot.ts'

const rules = 'node-1/iptables-save.txt'
const hostnames = '10.104.48.131'
const sysctl = (node: string, name: string, value: string | number): Change =>
  edit(`${node}/sysctl.txt`, new RegExp(`^(${name.replaceAll('.', '\\.')}) = .*$`), `$1 = ${value}`)
const connection = (line: string): Change => insert('node-1/conntrack.txt', /./, line, 'before')
const socket = (line: string): Change => insert('node-1/sockets.txt', /./, line, 'before')
const bare =
  '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n'
const balancer = object('services', 'hostnames-nodeport', (service) => {
  service.spec.type = 'LoadBalancer'
  service.status = { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } }
})
const ranges = (...list: readonly string[]) =>
  object('services', 'hostnames-nodeport', ({ spec }) => (spec.loadBalancerSourceRanges = list))
const everywhere = (change: (node: string) => Change): readonly Change[] => ['node-1', 'node-2'].map(change)
const balancerRule = (node: string) =>
  insert(
    `${node}/iptables-save.txt`,
    /-A KUBE-SERVICES /,
    '-A KUBE-SERVICES -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j KUBE-EXT-5LBO7PUZ42VP7VMI',
    'before',
  )
const rows: readonly Row[] = [
  { name: 'nothing', changes: [], roots: [] },
  {
    name: 'no rule at all',
    changes: [put('nodes/node-1/iptables-save.txt', bare)],
    roots: ['ProxyMissing node/node-1'],
    evidence: /none leads anywhere/,
  },
  {
    name: 'no rule at all, and a firewall that ends what nobody took up',
    changes: [
      put(
        'nodes/node-1/iptables-save.txt',
        `${bare}*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -o eth0 -p udp -m udp --dport 53 -j DROP\nCOMMIT\n`,
      ),
    ],
    roots: ['DnsUpstreamFails configmap/kube-system/kube-dns', 'ProxyMissing node/node-1'],
  },
  {
    name: 'flushed chains',
    changes: [without(rules, /-A (PREROUTING|OUTPUT) .*-j KUBE-SERVICES/)],
    roots: ['JumpMissing node/node-1'],
  },
  {
    name: 'a proxy that says it is behind',
    changes: [
      edit('node-2/proxy-healthz.txt', 'HTTP/1.1 200 OK', 'HTTP/1.1 503 Service Unavailable'),
      edit('node-2/proxy-healthz.txt', '"healthy":true', '"healthy":false'),
    ],
    roots: ['ProxyDown node/node-2'],
    evidence: /healthz: HTTP\/1\.1 503/,
  },
  {
    name: 'proxies of all nodes that have not followed',
    changes: [
      edit('/proxy-healthz.txt', 'HTTP/1.1 200 OK', 'HTTP/1.1 503 Service Unavailable'),
      edit('/proxy-healthz.txt', '"healthy":true', '"healthy":false'),
      edit('/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376'),
    ],
    roots: ['ProxyDown node/node-1', 'ProxyDown node/node-2'],
  },
  {
    name: 'a proxy on a node that is to be deleted',
    changes: [
      edit('node-2/proxy-healthz.txt', 'HTTP/1.1 200 OK', 'HTTP/1.1 503 Service Unavailable'),
      edit('node-2/proxy-healthz.txt', '"nodeEligible":true', '"nodeEligible":false'),
    ],
    roots: [],
  },
  {
    name: 'no rule for one Service',
    changes: [without(rules, /-A KUBE-SERVICES -d 10\.104\.48\.131/)],
    roots: ['RulesMissing svc/default/hostnames'],
  },
  {
    name: 'an endpoint that is gone',
    changes: [edit(rules, '10.244.1.3:9376', '10.244.1.9:9376')],
    roots: ['StaleEndpoint svc/default/hostnames', 'StaleEndpoint svc/default/hostnames-nodeport'],
    evidence: /--to-destination 10\.244\.1\.9:9376 \(iptables\/nodes\/node-1\/iptables-save\.txt:\d+\)/,
  },
  {
    name: 'an endpoint left out',
    changes: [without(rules, /-A KUBE-SVC-ODX2UBAZM7RQWOIU .*10\.244\.0\.3:9376/)],
    roots: ['EndpointMissing svc/default/hostnames'],
  },
  {
    name: 'a refusal that is out of date',
    changes: [
      insert(
        rules,
        /-A KUBE-FORWARD /,
        `-A KUBE-SERVICES -d ${hostnames}/32 -p tcp -m comment --comment "default/hostnames:default has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable`,
        'before',
      ),
      without(rules, /-A KUBE-SERVICES -d 10\.104\.48\.131\/32 .*-j KUBE-SVC/),
    ],
    roots: ['StaleRefusal svc/default/hostnames'],
  },
  {
    name: 'rules for a Service that was deleted',
    changes: [removeObject('services', 'hostnames-nodeport'), removeObject('endpointslices', 'hostnames-nodeport')],
    roots: ['StaleService node/node-1', 'StaleService node/node-2'],
    evidence: /10\.244\./,
  },
  {
    name: 'a rule by hand',
    changes: [
      insert(
        rules,
        /-A PREROUTING /,
        `-A PREROUTING -d ${hostnames}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.0.250:80`,
        'before',
      ),
    ],
    roots: ['ForeignRule svc/default/hostnames'],
  },
  {
    name: 'shares that are not equal',
    changes: [edit(rules, /(KUBE-SVC-ODX2UBAZM7RQWOIU .*--probability) 0\.33333333349/, '$1 0.80000000000')],
    roots: ['UnevenShares svc/default/hostnames'],
  },
  {
    name: 'nobody behind, and no refusal',
    changes: [
      object('endpointslices', 'hostnames-nodeport', (slice) => (slice.endpoints = [])),
      object('services', 'hostnames-nodeport', ({ spec }) => delete spec.selector),
      ...everywhere((node) =>
        without(`${node}/iptables-save.txt`, /-A (KUBE-SERVICES|KUBE-NODEPORTS) .*hostnames-nodeport/),
      ),
    ],
    roots: ['NoEndpoints svc/default/hostnames-nodeport', 'NoRefusal svc/default/hostnames-nodeport'],
  },
  {
    name: 'masquerading where the source should stay',
    changes: [edit(rules, `! -s 10.244.0.0/16 -d ${hostnames}/32`, `-d ${hostnames}/32`)],
    roots: ['SourceLost svc/default/hostnames'],
  },
  {
    name: 'no masquerading where it is needed',
    changes: [without(rules, /-A KUBE-EXT-5LBO7PUZ42VP7VMI .*-j KUBE-MARK-MASQ/)],
    roots: ['NotMasqueraded svc/default/hostnames-nodeport'],
  },
  {
    name: 'ranges that no rule holds',
    changes: [balancer, ranges('203.0.113.0/24'), ...everywhere(balancerRule)],
    roots: ['SourceRangesOpen svc/default/hostnames-nodeport'],
  },
  {
    name: 'ranges behind which something was dropped',
    changes: [
      balancer,
      ranges('198.51.100.0/24'),
      ...everywhere(balancerRule),
      insert(
        rules,
        /-A KUBE-FORWARD /,
        '[7:420] -A KUBE-PROXY-FIREWALL -d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j DROP',
        'before',
      ),
    ],
    roots: ['SourceRangesExclude svc/default/hostnames-nodeport'],
    evidence: /has dropped 7 packets to 192\.0\.2\.10/,
  },
  {
    name: 'no forwarding',
    changes: [sysctl('node-1', 'net.ipv4.ip_forward', 0)],
    roots: ['ForwardingOff node/node-1'],
  },
  {
    name: 'policy of FORWARD',
    changes: [edit(rules, ':FORWARD ACCEPT', ':FORWARD DROP'), without(rules, /-A FORWARD .*FLANNEL-FWD/)],
    roots: ['ForwardDropped node/node-1'],
  },
  {
    name: 'a firewall',
    changes: [insert(rules, /-A FORWARD /, '-A FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 9376 -j DROP', 'before')],
    roots: ['FirewallDrops node/node-1'],
    evidence: /--dport 9376 -j DROP/,
  },
  {
    name: 'answers by another way than questions',
    changes: [
      edit(
        'node-1/ip-route.json',
        '{"dst":"10.244.1.0/24","gateway":"10.244.1.0","dev":"flannel.1","flags":["onlink"]}',
        '{"dst":"10.244.1.0/24","gateway":"10.168.0.3","dev":"eth0","flags":[]}',
      ),
      sysctl('node-2', 'net.ipv4.conf.eth0.rp_filter', 1),
    ],
    roots: ['ReversePathFilter node/node-2'],
  },
  {
    name: 'no route',
    changes: [
      edit(
        'node-1/ip-route.json',
        '{"dst":"10.244.1.0/24","gateway":"10.244.1.0","dev":"flannel.1","flags":["onlink"]},',
        '',
      ),
    ],
    roots: ['RouteMissing node/node-1'],
  },
  {
    name: 'no forwarding entry of the tunnel',
    changes: [without('node-1/bridge-fdb.txt', /dev flannel\.1 dst/)],
    roots: ['PathBroken node/node-1'],
  },
  {
    name: 'hairpin off',
    changes: [edit('node-2/ip-addr.json', '"hairpin":true', '"hairpin":false')],
    roots: ['HairpinOff node/node-2'],
  },
  {
    name: 'packets on the bridge past the rules',
    changes: [sysctl('node-1', 'net.bridge.bridge-nf-call-iptables', 0)],
    roots: ['BridgePastRules node/node-1'],
  },
  {
    name: 'a tunnel that is too wide',
    changes: [edit('node-1/ip-addr.json', /("ifname":"eth0","flags":\["UP","LOWER_UP"\],"mtu"):1500/, '$1:1400')],
    roots: ['MtuTooLarge node/node-1'],
    evidence: /eth0 mtu 1400, of which the outer headers take 50/,
  },
  {
    name: 'checksums of an old kernel',
    changes: [object('nodes', 'node-1', ({ status }) => (status.nodeInfo.kernelVersion = '4.18.0-80.el8.x86_64'))],
    roots: ['VxlanChecksum node/node-1'],
    evidence: /ethtool-flannel\.1\.txt: tx-checksum-ip-generic: on/,
  },
  {
    name: 'rules of another mode',
    changes: [
      put(
        'nodes/node-1/nft.txt',
        'table ip kube-proxy {\n\tchain services {\n\t\tip daddr 10.104.48.131 tcp dport 80 accept\n\t}\n}\n',
      ),
    ],
    roots: ['LeftoverRules node/node-1'],
  },
  {
    name: 'both back ends',
    changes: [
      put(
        'nodes/node-1/iptables-legacy-save.txt',
        `# Generated by iptables-save v1.8.9 (legacy) on Thu Nov 26 14:00:00 2026\n${bare.replace('COMMIT', ':KUBE-SERVICES - [0:0]\nCOMMIT')}`,
      ),
    ],
    roots: ['TwoBackends node/node-1'],
  },
  {
    name: 'a version that misreads',
    changes: [edit(rules, /iptables-save v1\.8\.\d+/, 'iptables-save v1.8.8')],
    roots: ['ToolVersion node/node-1'],
  },
  {
    name: 'a process at a node port',
    changes: [socket('tcp   LISTEN 0      0      0.0.0.0:30225      *:*')],
    roots: ['NodePortTaken svc/default/hostnames-nodeport'],
  },
  {
    name: 'a node port among local ones',
    changes: [sysctl('node-1', 'net.ipv4.ip_local_port_range', '30000 60999')],
    roots: ['NodePortInLocalRange svc/default/hostnames-nodeport'],
  },
  {
    name: 'a node port among local ones, reserved',
    changes: [
      sysctl('node-1', 'net.ipv4.ip_local_port_range', '30000 60999'),
      sysctl('node-1', 'net.ipv4.ip_local_reserved_ports', '80,30000-30300'),
    ],
    roots: [],
  },
  {
    name: 'a node port asked at loopback',
    changes: [
      connection(
        'tcp      6 9 CLOSE src=127.0.0.1 dst=127.0.0.1 sport=50000 dport=30225 src=127.0.0.1 dst=127.0.0.1 sport=30225 dport=50000 mark=0 use=1',
      ),
    ],
    roots: ['NodePortAtLoopback svc/default/hostnames-nodeport'],
  },
  {
    name: 'images from a registry behind a node port at loopback',
    changes: [
      object('pods', 'hostnames-5c8dd7776d-bd7vg', ({ spec }) => (spec.containers[0].image = 'localhost:30225/app:1')),
      sysctl('node-2', 'net.ipv4.conf.all.route_localnet', 0),
    ],
    roots: ['NodePortAtLoopback svc/default/hostnames-nodeport'],
    evidence: /pod default\/hostnames-5c8dd7776d-bd7vg on node-2: image: localhost:30225\/app:1/,
  },
  {
    name: 'images from a registry behind a node port that iptables leads on',
    changes: [
      object('pods', 'hostnames-5c8dd7776d-bd7vg', ({ spec }) => (spec.containers[0].image = 'localhost:30225/app:1')),
    ],
    roots: [],
  },
  {
    name: 'a node port asked at loopback and translated',
    changes: [
      connection(
        'tcp      6 9 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=50000 dport=30225 src=10.244.0.3 dst=10.168.0.2 sport=9376 dport=50000 [ASSURED] mark=0 use=1',
      ),
    ],
    roots: [],
  },
  {
    name: 'a full table of connections',
    changes: [
      sysctl('node-1', 'net.netfilter.nf_conntrack_count', 999),
      sysctl('node-1', 'net.netfilter.nf_conntrack_max', 1000),
    ],
    roots: ['ConntrackFull node/node-1'],
  },
  {
    name: 'a counter of races that a new kernel has settled',
    changes: [edit('node-1/conntrack-stats.txt', 'insert_failed=0', 'insert_failed=412')],
    roots: [],
  },
  {
    name: 'the same counter of an old kernel',
    changes: [
      edit('node-1/conntrack-stats.txt', 'insert_failed=0', 'insert_failed=412'),
      object('nodes', 'node-1', ({ status }) => (status.nodeInfo.kernelVersion = '4.19.0-27-amd64')),
      // Otherwise that kernel would have another fault too.
      edit('ethtool-flannel.1.txt', 'tx-checksum-ip-generic: on', 'tx-checksum-ip-generic: off'),
    ],
    roots: ['InsertRace node/node-1'],
  },
  {
    name: 'races into the table of connections',
    changes: [
      edit('node-1/conntrack-stats.txt', 'insert_failed=0', 'insert_failed=412'),
      edit(rules, 'MASQUERADE --random-fully', 'MASQUERADE'),
    ],
    roots: ['InsertRace node/node-1'],
    evidence:
      /insert_failed=824.*\n.*KUBE-POSTROUTING: MASQUERADE without --random-fully|FLANNEL-POSTRTG: MASQUERADE without/,
  },
  {
    name: 'invalid packets',
    changes: [without(rules, /-A KUBE-FORWARD .*--ctstate INVALID/)],
    roots: ['InvalidNotDropped node/node-1'],
  },
  {
    name: 'a connection to an endpoint that is gone',
    changes: [
      connection(
        'udp      17 28 src=10.244.0.9 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.244.1.99 dst=10.244.0.9 sport=53 dport=40000 mark=0 use=1',
      ),
    ],
    roots: ['StaleFlow node/node-1'],
    evidence: /src=10\.244\.1\.99 sport=53/,
  },
  {
    name: 'a program that listens elsewhere',
    changes: [
      edit('/sockets.txt', /^tcp +LISTEN (.*):9376/, 'tcp   LISTEN $1:8080'),
      edit('/sockets.txt', /^udp.*:9376.*$/, ''),
    ],
    roots: ['NoListener svc/default/hostnames', 'NoListener svc/default/hostnames-nodeport'],
    evidence: /listens at 8080\/tcp/,
  },
  {
    name: 'a program that speaks UDP',
    changes: [edit('/sockets.txt', /^tcp.*:9376.*$/, '')],
    roots: ['ProtocolMismatch svc/default/hostnames', 'ProtocolMismatch svc/default/hostnames-nodeport'],
  },
  {
    name: 'two at once: hairpin, and a firewall elsewhere',
    changes: [
      edit('node-2/ip-addr.json', '"hairpin":true', '"hairpin":false'),
      insert(rules, /-A FORWARD /, '-A FORWARD -d 10.244.0.0/16 -p tcp -m tcp --dport 9376 -j DROP', 'before'),
    ],
    roots: ['FirewallDrops node/node-1', 'HairpinOff node/node-2'],
  },
]

testRows('nodes', rows)
