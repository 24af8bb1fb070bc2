import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { annotation, knowEachOther, makeNodes, serveInPod, talk, tcpBytes, untilTrue } from '#test/flannel-nodes.ts'
import type { TestNode } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables', 'python3'] })

test('flannel: host-gw keeps its routes and nobody else’s', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const routes = () =>
    node
      .exec('ip', 'route')
      .split('\n')
      .filter((line) => line.startsWith('10.244.') && !line.includes('dev cni0'))
      .map((line) => line.trim())
  const settle = (want: readonly string[]) =>
    untilTrue(
      () => JSON.stringify(routes()) === JSON.stringify(want),
      () => `${routes().join('\n')}\nwanted\n${want.join('\n')}`,
    )
  const [two, three] = ['10.244.1.0/24 via 10.168.0.3 dev eth0', '10.244.2.0/24 via 10.168.0.4 dev eth0']
  node.exec('ip', 'route', 'add', '10.244.99.0/24', 'via', '10.168.0.99')
  const foreign = '10.244.99.0/24 via 10.168.0.99 dev eth0'
  cluster.lease('node-2', '10.244.1.0/24', '10.168.0.3')
  cluster.lease('node-3', '10.244.2.0/24', '10.168.0.4')
  cluster.lease('far', '10.244.7.0/24', '192.0.2.7')
  {
    await using flannel = node.start({ type: 'host-gw' })
    await settle([two, three, foreign])
    await untilTrue(
      () => flannel.lines.some((line) => line.startsWith('Setting up rules')),
      () => flannel.lines.join('\n'),
    )
    const { annotations } = cluster.server.get('nodes', { name: 'node-1' })!.metadata as never as {
      annotations: object
    }
    assert.deepEqual(annotations, {
      [annotation('kube-subnet-manager')]: 'true',
      [annotation('backend-type')]: 'host-gw',
      [annotation('backend-data')]: 'null',
      [annotation('public-ip')]: '10.168.0.2',
    })
    assert.ok(flannel.lines.includes('Subnet added: 10.244.1.0/24 via 10.168.0.3'))
    assert.match(flannel.lines.join('\n'), /no route to 10\.244\.7\.0\/24: 192\.0\.2\.7 of far is not on the network/)
    const file = 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=true\n'
    assert.equal(node.subnetFile(), file)

    for (const line of [two, three]) node.exec('ip', 'route', 'del', ...line.split(' '))
    await settle([two, three, foreign])
    node.exec('ip', 'route', 'replace', '10.244.1.0/24', 'via', '10.168.0.77')
    await settle([two, three, foreign])
    node.exec('ip', 'link', 'set', 'eth0', 'down')
    node.exec('ip', 'link', 'set', 'eth0', 'up')
    await settle([two, three])
    assert.ok(flannel.lines.includes('Route recovered 10.244.1.0/24 : 10.168.0.3'))
    node.exec('ip', 'route', 'add', 'default', 'via', '10.168.0.1')

    cluster.lease('node-2', '10.244.1.0/24', '10.168.0.33')
    cluster.server.remove('nodes', { name: 'node-3' })
    await settle(['10.244.1.0/24 via 10.168.0.33 dev eth0'])
    assert.match(flannel.registry.render(), /flannel_peers\{family="IPv4"\} 1\n/)
    await cluster.server.stop()
    node.exec('ip', 'route', 'flush', 'root', '10.244.1.0/24')
    await settle(['10.244.1.0/24 via 10.168.0.33 dev eth0'])
    await cluster.server.listen(cluster.server.port)
  }
  // While it was away one node left and another came.
  cluster.server.remove('nodes', { name: 'node-2' })
  cluster.lease('node-4', '10.244.4.0/24', '10.168.0.5')
  node.exec('ip', 'route', 'add', '10.244.98.0/24', 'via', '10.168.0.98')
  await using _again = node.start({ type: 'host-gw' })
  await settle(['10.244.4.0/24 via 10.168.0.5 dev eth0', '10.244.98.0/24 via 10.168.0.98 dev eth0'])
})

test('flannel: rules are there, and come back', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  await using flannel = node.start({ type: 'host-gw' })
  const rules = () =>
    ['nat', 'filter'].flatMap((table) =>
      node
        .exec('iptables-save', '-t', table)
        .split('\n')
        .filter((line) => line.startsWith('-A')),
    )
  const want = [
    '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
    '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
    '-A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN',
    '-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN',
    '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN',
    '-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
    '-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
    '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
    '-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
    '-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
  ]
  const settle = () =>
    untilTrue(
      () => JSON.stringify(rules().sort()) === JSON.stringify(want.toSorted()),
      () => `${rules().join('\n')}\n${flannel.lines.join('\n')}`,
    )
  await settle()
  for (const words of [
    '-F FLANNEL-POSTRTG',
    '-D FLANNEL-POSTRTG 3',
    '-F POSTROUTING',
    '-A FLANNEL-POSTRTG -j ACCEPT',
  ]) {
    node.exec('iptables', '-t', 'nat', ...words.split(' '))
    await settle()
  }
  node.exec('iptables', '-F')
  await settle()
  await untilTrue(
    () => flannel.lines.includes('Rules recovered: FLANNEL-FWD'),
    () => flannel.lines.join('\n'),
  )
  const condition = () =>
    (cluster.server.get('nodes', { name: 'node-1' })!['status'] as { conditions: object[] }).conditions[0]
  assert.deepEqual(
    { ...condition(), lastTransitionTime: '', lastHeartbeatTime: '' },
    {
      type: 'NetworkUnavailable',
      status: 'False',
      reason: 'FlannelIsUp',
      message: 'Flannel is running on this node',
      lastTransitionTime: '',
      lastHeartbeatTime: '',
    },
  )
})

test('flannel: vxlan carries packets between pods, also after the device is lost', { skip }, async () => {
  await using cluster = await makeNodes({ count: 2 })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  await using first = one.start({ type: 'vxlan' })
  await using second = two.start({ type: 'vxlan' })
  await knowEachOther([first, second], [4], 1)
  for (const node of cluster.nodes) node.connectPod()
  await using _server = await serveInPod(two)
  const settle = () =>
    untilTrue(
      () => talk(one, two.pod[4], []).tcp === tcpBytes,
      () => `${one.exec('ip', 'route')}${first.lines.join('\n')}`,
    )
  await settle()
  const state = () => {
    const link = one.show('ip', '-d', 'link', 'show', 'flannel.1')
    const neighbour = one.show('ip', 'neigh', 'show', 'dev', 'flannel.1')
    const entries = one.show('bridge', 'fdb', 'show', 'dev', 'flannel.1')
    const route = one.show('ip', 'route', 'show', 'dev', 'flannel.1')
    const mac = /lladdr (\S+)/.exec(neighbour)?.[1] ?? 'no MAC'
    return { link, text: `${neighbour}${entries}${route}`.replaceAll(mac, 'MAC').replaceAll(/ +\n/g, '\n') }
  }
  const before = state()
  assert.match(before.link, /mtu 1450 .*vxlan id 1 local 10\.168\.0\.2 dev eth0 .*dstport 8472 nolearning/s)
  assert.equal(
    before.text,
    '10.244.1.0 lladdr MAC PERMANENT\nMAC dst 10.168.0.3 self permanent\n10.244.1.0/24 via 10.244.1.0 onlink\n',
  )
  for (const words of [
    'ip link del flannel.1',
    'ip neigh flush dev flannel.1 nud permanent',
    'ip route del 10.244.1.0/24',
    'ip link set flannel.1 down',
    `bridge fdb del ${/(\S+) dst/.exec(one.exec('bridge', 'fdb', 'show', 'dev', 'flannel.1'))![1]} dev flannel.1`,
    'ip addr flush dev flannel.1',
  ]) {
    one.exec(...words.split(' '))
    await untilTrue(
      () => state().text === before.text,
      () => `after ${words}:\n${state().text}${first.lines.join('\n')}`,
    )
    await settle()
  }
  cluster.server.remove('nodes', { name: 'node-2' })
  await untilTrue(
    () => state().text === '',
    () => state().text,
  )
})

test('flannel: annotations of the node say how the others reach it', { skip }, async () => {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const announced = async (annotations: Record<string, string>, want: string) => {
    cluster.server.put('nodes', {
      metadata: { name: node.name, annotations },
      spec: { podCIDR: node.subnets[4] },
    } as never)
    const said = () =>
      (cluster.server.get('nodes', { name: node.name })!.metadata as never as { annotations: Record<string, string> })
        .annotations[annotation('public-ip')]
    await untilTrue(
      () => said() === want,
      () => `${said()}, not ${want}\n${flannel.lines.join('\n')}`,
    )
  }
  await using flannel = node.start({ type: 'vxlan' }, { publicIps: { 4: '192.0.2.1' } })
  await announced({}, '192.0.2.1')
  await announced({ [annotation('node-public-ip')]: '192.0.2.2' }, '192.0.2.2')
  await announced({ [annotation('public-ip-overwrite')]: '192.0.2.3' }, '192.0.2.3')
  await announced({ [annotation('node-public-ip')]: 'nowhere' }, '192.0.2.1')
})
