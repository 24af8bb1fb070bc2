// The whole proxy in IPVS mode, for kernels that have it (`npm run modes` brings one along in a virtual machine).
import * as assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { silentLog } from '#daemon/log.ts'
import { cleanup } from '#proxy/leftovers.ts'
import { proxyDefaults } from '#proxy/options.ts'
import { addresses, connectTo, listed, makeNode, rules, run, saved, seeds } from '#test/ipvs-node.ts'
import { servePod, skipWithoutIpvs as skip, start, webSlice } from '#test/ipvs-node.ts'
import { eventually } from '#test/running-proxy.ts'

makeNode()

test('IPVS mode: from the API server into the kernel', { skip }, async (t) => {
  await using fake = await seeds()
  await using proxy = await start(fake)
  await eventually('virtual servers', () => listed().includes('10.96.0.10:53'))
  await eventually('rules', () =>
    rules().includes('-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT'),
  )

  await t.test('ipvsadm and ip show what the documents show', () => {
    assert.ok(proxy.lines.includes('Using ipvs Proxier.'))
    const text = listed()
    for (const line of [
      'TCP  10.98.126.255:8080 rr',
      '  -> 10.244.1.5:80                Masq    1      0          0         ',
      '  -> 10.244.1.8:80                Masq    1      0          0         ',
      'UDP  10.96.0.10:53 rr',
    ])
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`)
    assert.match(addresses(), /inet 10\.96\.0\.10\/32 scope global kube-ipvs0/)
    assert.match(run('ip', 'link', 'show', 'kube-ipvs0'), /kube-ipvs0: <BROADCAST,NOARP> mtu 1500 .* state DOWN/)
  })

  await t.test('the number of iptables rules does not depend on the number of Services', async () => {
    const count = () =>
      rules()
        .split('\n')
        .filter((line) => line.startsWith('-A ')).length
    const before = count()
    for (let i = 1; i <= 50; i++)
      fake.put('services', {
        metadata: { namespace: 'many', name: `service-${i}` },
        spec: { clusterIP: `10.97.0.${i}`, ports: [{ port: 80, protocol: 'TCP' }] },
      })
    await eventually('50 more', () => listed().includes('10.97.0.50:80'))
    assert.equal(count(), before)
    for (let i = 1; i <= 50; i++) fake.remove('services', { namespace: 'many', name: `service-${i}` })
    await eventually('gone', () => !listed().includes('10.97.0.') && !addresses().includes('10.97.0.'))
    assert.ok(!run('ipset', 'save').includes('10.97.0.'))
  })

  await t.test('an endpoint that goes keeps its connections, and gets no new ones', async () => {
    using pod = await servePod()
    const socket = await connectTo('10.96.7.7', 80)
    fake.put('endpointslices', webSlice(['10.244.0.10']))
    await eventually('weight 0', () => saved().includes('-r 10.244.0.9:8080 -m -w 0'))
    assert.ok(saved().includes('-r 10.244.0.10:8080 -m -w 1'))
    socket.write('still there\n')
    assert.equal(String((await once(socket, 'data'))[0]), 'still there\n')
    fake.put('endpointslices', webSlice(['10.244.0.9']))
    await eventually('back', () => saved().includes('-r 10.244.0.9:8080 -m -w 1'))
    await eventually('one without connections goes soon', () => !saved().includes('10.244.0.10:8080'))
    socket.write('and still\n')
    assert.equal(String((await once(socket, 'data'))[0]), 'and still\n')
    socket.destroy()
    assert.ok(pod.sockets.size >= 0)
  })

  await t.test('puts back what others take away, within two seconds', async () => {
    const picture = () =>
      [saved(), addresses().replaceAll(/^\d+: |valid_lft.*/gm, ''), sorted(run('ipset', 'save')), sorted(rules())].join(
        '\n',
      )
    await eventually('no connections left to wait for', () => !saved().includes('-w 0'))
    const whole = comparable(picture())
    for (const attack of [
      'ipvsadm -C',
      'ipvsadm -D -t 10.96.7.7:80',
      'ipvsadm -d -t 10.96.0.10:53 -r 10.244.0.2:53',
      'ipset flush KUBE-CLUSTER-IP',
      'ip addr flush dev kube-ipvs0',
      'ip link delete kube-ipvs0',
      'iptables -t nat -F KUBE-SERVICES',
      'iptables -D INPUT 1',
    ]) {
      run(...attack.split(' '))
      const startMs = performance.now()
      await eventually(`repaired after ${attack}`, () => comparable(picture()) === whole)
      t.diagnostic(`${attack}: repaired after ${Math.round(performance.now() - startMs)} ms`)
    }
  })

  await t.test("others' virtual servers are left alone", async () => {
    run('ipvsadm', '-C')
    run('ipvsadm', '-A', '-t', '192.0.2.1:80', '-s', 'rr')
    await eventually('repaired', () => saved().includes('10.96.7.7:80'))
    assert.ok(saved().includes('192.0.2.1:80'))
    run('ipvsadm', '-D', '-t', '192.0.2.1:80')
  })

  await t.test("an external IP that is a node's own is refused with an event", async () => {
    fake.put('nodes', {
      metadata: { name: 'node-2' },
      status: { addresses: [{ type: 'InternalIP', address: '10.168.0.3' }] },
    })
    fake.put('services', {
      metadata: { namespace: 'demo', name: 'greedy' },
      spec: {
        clusterIP: '10.96.7.8',
        externalIPs: ['10.168.0.2', '10.168.0.3', '80.11.12.10'],
        ports: [{ port: 443, protocol: 'TCP' }],
      },
    })
    await eventually('the other one', () => saved().includes('80.11.12.10:443'))
    assert.ok(!saved().includes('10.168.0.2:443'))
    await eventually("not the other node's", () => !addresses().includes('10.168.0.3'))
    assert.ok(!addresses().includes('10.168.0.2'))
    await eventually('event', () =>
      fake
        .list('events')
        .some((event) => /10\.168\.0\.3 is not programmed/.test(String(event['message'] ?? event['note']))),
    )
  })
})

const sorted = (text: string) => text.split('\n').sort().join('\n')
/** Without what changes by itself: counters, numbers of links, seeds of hashes. */
const comparable = (text: string) =>
  text
    .replaceAll(/\[\d+:\d+\]/g, '')
    .replaceAll(/ (?:initval|hashsize|bucketsize) \S+/g, '')
    .replaceAll(/^#.*$/gm, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith(':'))
    .sort()
    .join('\n')

test('IPVS mode: started again, it takes over what is there', { skip }, async () => {
  await using fake = await seeds()
  {
    await using _ = await start(fake)
    await eventually('virtual servers', () => saved().includes('10.96.7.7:80'))
  }
  assert.ok(saved().includes('10.96.7.7:80'), 'all stays when the proxy ends')
  fake.remove('services', { namespace: 'default', name: 'nodeportservice' })
  fake.put('endpointslices', webSlice(['10.244.0.9', '10.244.0.10']))
  run('ipvsadm', '-e', '-t', '10.96.7.7:80', '-r', '10.244.0.9:8080', '-m', '-w', '0')
  await using _ = await start(fake)
  await eventually('new endpoint', () => saved().includes('-r 10.244.0.10:8080 -m -w 1'))
  await eventually('weight', () => saved().includes('-r 10.244.0.9:8080 -m -w 1'))
  await eventually('the old Service is gone', () => !saved().includes('10.98.126.255') && !saved().includes(':30001'))
  assert.ok(!addresses().includes('10.98.126.255'))
  assert.equal(run('ip', '-o', 'link').match(/kube-ipvs0/g)?.length, 1)
})

test('IPVS mode: scheduler, strict ARP, time-outs', { skip }, async () => {
  await using fake = await seeds()
  const ipvs = {
    ...proxyDefaults.ipvs,
    scheduler: 'mh',
    strictArp: true,
    timeouts: { tcp: 301, tcpFin: 0, udp: 0 },
  } as const
  await using _ = await start(fake, { ipvs })
  await eventually('the other scheduler', () => saved().includes('-A -t 10.96.7.7:80 -s mh -b mh-port'))
  assert.match(run('ipvsadm', '-l', '--timeout'), /301 120 300/)
  const value = (name: string) => run('sysctl', '-n', name).trim()
  assert.deepEqual([value('net.ipv4.conf.all.arp_ignore'), value('net.ipv4.conf.all.arp_announce')], ['1', '2'])
})

test('IPVS mode: --cleanup leaves nothing', { skip }, async () => {
  await cleanup(silentLog)
  assert.equal(saved(), '')
  assert.equal(addresses(), '')
  assert.ok(!run('ipset', 'save').includes('KUBE-'))
  const own = (text: string) => text.replaceAll('KUBE-FIREWALL', '') // the kubelet's as well
  assert.ok(!own(rules()).includes('KUBE-') && !own(run('ip6tables-save')).includes('KUBE-'))
  assert.equal(run('nft', 'list', 'tables').includes('fairway'), false)
})
