// Dumps as the programs print them, and back.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConnections, renderConnections } from '#kernel/dump/connections.ts'
import { parseIpRules, renderIpRules } from '#kernel/dump/ip-rule.ts'
import { parseRoutes, renderRoutes } from '#kernel/dump/ip-route.ts'
import { parseIpsets, renderIpsets } from '#kernel/dump/ipset.ts'
import { parseVirtualServers, renderVirtualServers } from '#kernel/dump/ipvsadm.ts'
import type { Parsed } from '#kernel/dump/lines.ts'
import { parseLinks, renderLinks } from '#kernel/dump/link.ts'
import { parseForwarding, parseNeighbours, renderForwarding, renderNeighbours } from '#kernel/dump/neighbour.ts'
import { listensAt, parseSockets, protocolsIn, renderSockets } from '#kernel/dump/sockets.ts'
import { deviceSetting, parseSysctls, renderSysctls } from '#kernel/dump/sysctl.ts'

/** What was parsed, which must be all of the text, and come back through `render` as it was. */
function whole<T>(parse: (text: string) => Parsed<T>, render: (value: T) => string, text: string): T {
  const { value, unread } = parse(text)
  assert.deepEqual(unread, [])
  assert.deepEqual(parse(render(value)), { value, unread: [] })
  return value
}

test('ip addr: plain and JSON say the same', () => {
  const plain = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
3: to-a@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP group default qlen 1000
    link/ether 1a:2b:3c:4d:5e:6f brd ff:ff:ff:ff:ff:ff link-netnsid 1
    inet6 fe80::182b:3cff:fe4d:5e6f/64 scope link
       valid_lft forever preferred_lft forever
4: tunl0@NONE: <NOARP> mtu 1480 qdisc noop state DOWN group default qlen 1000
    link/ipip 0.0.0.0 brd 0.0.0.0
    inet 10.0.0.1 peer 10.0.0.2/32 scope global tunl0
`
  const json = JSON.stringify([
    {
      ifindex: 1,
      ifname: 'lo',
      flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
      mtu: 65536,
      link_type: 'loopback',
      address: '00:00:00:00:00:00',
      addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo' }],
    },
    {
      ifindex: 3,
      link_index: 2,
      ifname: 'to-a',
      flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
      mtu: 1450,
      master: 'cni0',
      link_type: 'ether',
      address: '1a:2b:3c:4d:5e:6f',
      addr_info: [{ family: 'inet6', local: 'fe80::182b:3cff:fe4d:5e6f', prefixlen: 64, scope: 'link' }],
    },
    {
      ifindex: 4,
      link: null,
      ifname: 'tunl0',
      flags: ['NOARP'],
      mtu: 1480,
      link_type: 'ipip',
      addr_info: [{ family: 'inet', local: '10.0.0.1', address: '10.0.0.2', prefixlen: 32, scope: 'global' }],
    },
  ])
  const links = whole(parseLinks, renderLinks, plain)
  assert.deepEqual(whole(parseLinks, renderLinks, json), links)
  assert.deepEqual(links[1], {
    index: 3,
    name: 'to-a',
    mac: '1a:2b:3c:4d:5e:6f',
    mtu: 1450,
    up: true,
    carrier: true,
    loopback: false,
    master: 'cni0',
    peer: 'if2',
    addresses: [{ ip: 'fe80::182b:3cff:fe4d:5e6f', prefix: 64, scope: 'link' }],
  })
  assert.deepEqual(links[2]?.addresses, [{ ip: '10.0.0.1', prefix: 32, scope: 'global', peer: '10.0.0.2' }])
})

test('ip -d link: ports of bridges and tunnels', () => {
  const plain = `5: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group default
    link/ether 2e:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 68 maxmtu 65535
    vxlan id 1 local 10.168.0.2 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum
6: to-b@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP mode DEFAULT group default
    link/ether 2e:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff link-netnsid 2 promiscuity 1 minmtu 68 maxmtu 65535
    veth
    bridge_slave state forwarding priority 32 cost 2 hairpin on guard off root_block off
`
  const [vxlan, port] = whole(parseLinks, renderLinks, plain)
  assert.deepEqual(vxlan?.vxlan, { id: 1, port: 8472, local: '10.168.0.2', device: 'eth0', learning: false })
  assert.equal(vxlan?.addresses, undefined)
  assert.deepEqual([port?.kind, port?.hairpin, port?.master], ['veth', true, 'cni0'])
})

test('ip route: plain and JSON say the same', () => {
  const plain = `default via 10.168.0.100 dev eth0 proto dhcp src 10.168.0.2 metric 100
10.244.0.0/24 dev cni0 proto kernel scope link src 10.244.0.1
10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
unreachable 10.9.0.0/16 metric 4278198272
10.7.0.1 via inet6 fe80::1 dev eth0 mtu 1400
10.8.0.0/16 proto static
	nexthop via 10.168.0.3 dev eth0 weight 1
	nexthop via 10.168.0.4 dev eth0 weight 2 dead linkdown
local 10.168.0.2 dev eth0 table local proto kernel scope host src 10.168.0.2
`
  const json = JSON.stringify([
    {
      dst: 'default',
      gateway: '10.168.0.100',
      dev: 'eth0',
      protocol: 'dhcp',
      prefsrc: '10.168.0.2',
      metric: 100,
      flags: [],
    },
    { dst: '10.244.0.0/24', dev: 'cni0', protocol: 'kernel', scope: 'link', prefsrc: '10.244.0.1', flags: [] },
    { dst: '10.244.1.0/24', gateway: '10.244.1.0', dev: 'flannel.1', flags: ['onlink'] },
    { type: 'unreachable', dst: '10.9.0.0/16', metric: 4278198272, flags: [] },
    { dst: '10.7.0.1', via: { family: 'inet6', host: 'fe80::1' }, dev: 'eth0', metrics: [{ mtu: 1400 }], flags: [] },
    {
      dst: '10.8.0.0/16',
      protocol: 'static',
      flags: [],
      nexthops: [
        { gateway: '10.168.0.3', dev: 'eth0', weight: 1, flags: [] },
        { gateway: '10.168.0.4', dev: 'eth0', weight: 2, flags: ['dead', 'linkdown'] },
      ],
    },
    {
      type: 'local',
      dst: '10.168.0.2',
      dev: 'eth0',
      table: 'local',
      protocol: 'kernel',
      scope: 'host',
      prefsrc: '10.168.0.2',
      flags: [],
    },
  ])
  const routes = whole(parseRoutes, renderRoutes, plain)
  assert.deepEqual(whole(parseRoutes, renderRoutes, json), routes)
  assert.deepEqual(routes[0], {
    family: 4,
    destination: '0.0.0.0/0',
    type: 'unicast',
    via: '10.168.0.100',
    device: 'eth0',
    source: '10.168.0.2',
    metric: 100,
    table: 'main',
    onlink: false,
    dead: false,
  })
  assert.deepEqual(routes[5]?.hops, [
    { via: '10.168.0.3', device: 'eth0', weight: 1, dead: false },
    { via: '10.168.0.4', device: 'eth0', weight: 2, dead: true },
  ])
})

test('ip rule: plain and JSON say the same', () => {
  const plain = `0:	from all lookup local
100:	not from 10.0.0.0/24 to 10.1.0.1 fwmark 0x1/0xff iif eth0 ipproto tcp dport 80-90 lookup 100 suppress_prefixlength 0
200:	from all fwmark 0xca6c unreachable
32766:	from all lookup main
`
  const json = JSON.stringify([
    { priority: 0, src: 'all', table: 'local' },
    {
      priority: 100,
      not: null,
      src: '10.0.0.0',
      srclen: 24,
      dst: '10.1.0.1',
      fwmark: '0x1',
      fwmask: '0xff',
      iif: 'eth0',
      ipproto: 'tcp',
      dport_start: 80,
      dport_end: 90,
      table: '100',
      suppress_prefixlen: 0,
    },
    { priority: 200, src: 'all', fwmark: '0xca6c', action: 'unreachable' },
    { priority: 32766, src: 'all', table: 'main' },
  ])
  const rules = whole(parseIpRules, renderIpRules, plain)
  assert.deepEqual(whole(parseIpRules, renderIpRules, json), rules)
  assert.equal(renderIpRules(rules), plain.replace('to 10.1.0.1 ', 'to 10.1.0.1/32 '))
  assert.deepEqual(rules[1]?.mark, { value: 1, mask: 255 })
})

test('ip neigh and bridge fdb: plain and JSON say the same', () => {
  const neighbours = whole(
    parseNeighbours,
    renderNeighbours,
    '10.244.1.0 dev flannel.1 lladdr 2e:00:00:00:00:09 PERMANENT \n10.168.0.9 dev eth0 FAILED \n',
  )
  const json =
    '[{"dst":"10.244.1.0","dev":"flannel.1","lladdr":"2e:00:00:00:00:09","state":["PERMANENT"]},{"dst":"10.168.0.9","dev":"eth0","state":["FAILED"]}]'
  assert.deepEqual(parseNeighbours(json).value, neighbours)
  const entries = whole(
    parseForwarding,
    renderForwarding,
    '2e:00:00:00:00:09 dev flannel.1 dst 10.168.0.3 self permanent \n1a:2b:3c:4d:5e:6f dev to-a master cni0 \n',
  )
  const fdb =
    '[{"mac":"2e:00:00:00:00:09","ifname":"flannel.1","dst":"10.168.0.3","flags":["self"],"state":"permanent"},{"mac":"1a:2b:3c:4d:5e:6f","ifname":"to-a","flags":[],"master":"cni0","state":""}]'
  assert.deepEqual(parseForwarding(fdb).value, entries)
})

test('sysctl -a: names of interfaces may have dots', () => {
  const settings = whole(
    parseSysctls,
    renderSysctls,
    'net.ipv4.conf.flannel/1.rp_filter = 2\nnet.ipv4.ip_local_port_range = 32768\t60999\nkernel.hostname = a = b\n',
  )
  assert.equal(deviceSetting(settings, 4, 'flannel.1', 'rp_filter'), 2)
  assert.equal(settings.get('kernel.hostname'), 'a = b')
})

test('conntrack -L: both tuples, and what became of them', () => {
  const text = `tcp      6 86397 ESTABLISHED src=10.244.1.9 dst=10.96.0.1 sport=40000 dport=443 src=192.168.1.13 dst=10.244.1.9 sport=6443 dport=40000 [ASSURED] mark=0 use=1
ipv4     2 udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=5000 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.244.1.9 sport=53 dport=5000 mark=16384 use=1
icmp     1 10 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 mark=0 use=1
`
  const [tcp, udp, icmp] = whole(parseConnections, renderConnections, text)
  assert.deepEqual(tcp, {
    protocol: 'tcp',
    seconds: 86397,
    state: 'ESTABLISHED',
    original: { source: '10.244.1.9', destination: '10.96.0.1', sourcePort: 40000, destinationPort: 443 },
    reply: { source: '192.168.1.13', destination: '10.244.1.9', sourcePort: 6443, destinationPort: 40000 },
    unreplied: false,
    assured: true,
    mark: 0,
  })
  assert.deepEqual([udp?.unreplied, udp?.mark, icmp?.reply.source], [true, 16384, '10.0.0.2'])
})

test('ipset save: the text comes back as it was', () => {
  const text = `create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xb04a1e2f
add KUBE-CLUSTER-IP 10.96.0.10,udp:53
create blocked hash:net family inet hashsize 1024 maxelem 65536 timeout 300 comment bucketsize 12 initval 0x1
add blocked 10.0.0.0/8 timeout 299 comment "a \\"b\\""
add blocked 10.1.0.0/16 timeout 299 nomatch
`
  const sets = whole(parseIpsets, renderIpsets, text)
  assert.equal(renderIpsets(sets), text)
  assert.deepEqual(sets[1]?.entries[0], { member: '10.0.0.0/8', options: ['timeout', '299', 'comment', 'a "b"'] })
})

test('ipvsadm: what is saved and what is listed say the same', () => {
  const saved = `-A -t 10.96.0.1:443 -s rr -p 10800 -M 255.255.255.255
-a -t 10.96.0.1:443 -r 192.168.1.13:6443 -m -w 1
-A -u [fd00::a]:53 -s wrr
-a -u [fd00::a]:53 -r [fd00::5]:53 -m -w 0
-A -f 7 -s sh -b sh-port
`
  const listed = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.1:443 rr persistent 10800
  -> 192.168.1.13:6443            Masq    1      2          0
UDP  [fd00::a]:53 wrr
  -> [fd00::5]:53                 Masq    0      0          0
`
  const servers = whole(parseVirtualServers, renderVirtualServers, saved)
  assert.equal(renderVirtualServers(servers), saved)
  const seen = whole(parseVirtualServers, renderVirtualServers, listed)
  assert.deepEqual(
    seen.map(({ address, servers: reals }) => ({ address, reals })),
    servers.slice(0, 2).map(({ address, servers: reals }) => ({ address, reals })),
  )
  assert.equal(servers[2]?.address.kind, 'mark')
})

test('dumps: what is not understood is named, and the rest is read', () => {
  const { value, unread } = parseRoutes('default via 10.0.0.1 dev eth0\nBonjour, voilà mes routes\n10.0.0.0/8 dev\n')
  assert.deepEqual([value.length, unread.map(({ line }) => line)], [1, [2, 3]])
  assert.deepEqual(parseLinks('[{"ifindex":1').value, [])
  assert.match(parseLinks('[{"ifindex":1').unread[0]!.text, /^not JSON/)
})

test('sockets: what ss, netstat and /proc/net say of who waits', () => {
  const waiting = whole(
    parseSockets,
    renderSockets,
    `Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
tcp   LISTEN 0      128    0.0.0.0:22           0.0.0.0:*         users:(("sshd",pid=1,fd=3))
tcp   LISTEN 0      511    *:80                 *:*
tcp   LISTEN 0      511    [::]:443             [::]:*
tcp   LISTEN 0      128    127.0.0.1%lo:8125    0.0.0.0:*
tcp   LISTEN 0      128    [::ffff:10.0.0.5]:81 *:*
udp   UNCONN 0      0      [fd00::1]:53         [::]:*
`,
  )
  assert.deepEqual(
    waiting.map(({ ip, families, port }) => `${ip ?? 'any'} ${families.join()} ${port}`),
    ['any 4 22', 'any 4,6 80', 'any 6 443', '127.0.0.1 4 8125', '10.0.0.5 4 81', 'fd00::1 6 53'],
  )
  for (const [protocol, port, ip, want] of [
    ['tcp', 22, '10.0.0.5', 'yes'],
    ['tcp', 22, 'fd00::1', 'no'],
    ['tcp', 80, 'fd00::1', 'yes'],
    ['tcp', 443, '10.0.0.5', 'no'],
    ['tcp', 8125, '10.0.0.5', 'only local'],
    ['udp', 80, '10.0.0.5', 'no'],
    ['udp', 53, 'fd00::1', 'yes'],
  ] as const)
    assert.equal(listensAt(waiting, protocol, port, ip), want, `${protocol} ${port} ${ip}`)
  const said = (text: string) => {
    const { value, unread } = parseSockets(text)
    assert.deepEqual(unread, [])
    return renderSockets(value).replaceAll(/ +/g, ' ').trim().split('\n')
  }
  assert.deepEqual(said('LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\nESTAB 0 0 10.0.0.5:22 10.0.0.9:40000\n'), [
    'tcp LISTEN 0 0 0.0.0.0:22 *:*',
  ])
  assert.deepEqual(
    said(`Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        0      0 127.0.0.1:6443          0.0.0.0:*               LISTEN
tcp6       0      0 :::10250                :::*                    LISTEN
udp        0      0 0.0.0.0:8472            0.0.0.0:*
`),
    ['tcp LISTEN 0 0 127.0.0.1:6443 *:*', 'tcp LISTEN 0 0 *:10250 *:*', 'udp UNCONN 0 0 0.0.0.0:8472 *:*'],
  )
  assert.deepEqual(
    said(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0500000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0
   1: 0500000A:1F90 0900000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 23 2 0 0
`),
    ['tcp LISTEN 0 0 10.0.0.5:8080 *:*', 'udp UNCONN 0 0 *:53 *:*'],
  )
  assert.equal(parseSockets('not a socket\n').unread.length, 1)
  for (const [text, protocols] of [
    ['', 'tcp,udp'],
    ['udp   UNCONN 0      0      *:53     *:*\n', 'tcp,udp'],
    ['LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n', 'tcp'],
    ['UNCONN 0 0 0.0.0.0:53 0.0.0.0:*\n', 'udp'],
    ['   0: 0500000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 21 1\n', 'tcp'],
  ] as const)
    assert.equal(protocolsIn(text).join(), protocols, text)
})
