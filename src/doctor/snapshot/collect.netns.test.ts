// What is collected of a namespace, by ourselves and by the script, against what its programs print.
import * as assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { snapshotScript } from '#doctor/snapshot/script.ts'
import { encodeSnapshot } from '#doctor/snapshot/snapshot.ts'
import { parseIpRules } from '#kernel/dump/ip-rule.ts'
import { parseRoutes } from '#kernel/dump/ip-route.ts'
import type { Parsed } from '#kernel/dump/lines.ts'
import { parseLinks } from '#kernel/dump/link.ts'
import { parseForwarding, parseNeighbours } from '#kernel/dump/neighbour.ts'
import { parseSysctls } from '#kernel/dump/sysctl.ts'
import { withNetns } from '#kernel/netns.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { need } from '#test/need.ts'
import { createProxyTopology } from '#test/proxy-topology.ts'
import { readWorld } from '#trace/read/read-world.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables', 'sysctl', 'tar'] })

test('snapshot: a namespace as its own programs see it', { skip }, async () => {
  await using net = await createProxyTopology()
  const { netns, route } = net.node1
  route.addVxlan({ name: 'flannel.1', id: 1, port: 8472, device: 'eth0', local: '10.168.0.2', mtu: 1450, up: true })
  route.replaceNeighbour({ link: 'flannel.1', ip: '10.244.9.0', mac: '2e:00:00:00:00:09' })
  route.replaceForwarding({ link: 'flannel.1', mac: '2e:00:00:00:00:09', destination: '10.168.0.9' })
  const run = (...words: string[]) =>
    withNetns(netns, () => execFileSync(words[0]!, words.slice(1), { encoding: 'utf8' }))
  run('ip', 'rule', 'add', 'from', '10.9.0.0/16', 'fwmark', '0x1/0xff', 'lookup', '100', 'priority', '50')
  run(
    'ip',
    'route',
    'add',
    '10.8.0.0/16',
    'nexthop',
    'via',
    '10.168.0.3',
    'weight',
    '2',
    'nexthop',
    'via',
    '10.168.0.100',
  )
  run('ip', 'route', 'add', 'unreachable', '10.7.0.0/16', 'metric', '9')
  run('iptables', '-t', 'nat', '-A', 'PREROUTING', '-d', '10.96.0.1', '-j', 'DNAT', '--to-destination', '10.244.0.11')
  using kernel = openNftables(6, netns)
  const batch = new NftBatch(6, 'mine')
  batch.addTable('')
  kernel.commit(batch)

  const { files, gaps } = await collectNamespace(netns)
  assert.deepEqual(gaps, [])
  const text = (name: string) => files.find((file) => file.name === name)!.text
  const sorted = (values: readonly object[]) =>
    values.map((value) => JSON.stringify(Object.entries(value).toSorted())).toSorted()
  const same = <T extends readonly object[]>(
    name: string,
    parse: (text: string) => Parsed<T>,
    said: string,
    pick: (value: T[number]) => object,
  ) => {
    const [ours, theirs] = [parse(text(name)), parse(said)]
    const some = (values: readonly T[number][]) => sorted(values.map(pick)).filter((line) => line !== '[]')
    assert.deepEqual([ours.unread, theirs.unread], [[], []], name)
    assert.deepEqual(some(ours.value), some(theirs.value), name)
  }
  for (const json of [['-j'], []]) {
    same(
      'ip-addr.json',
      parseLinks,
      run('ip', ...json, '-d', 'addr'),
      ({ index, name, kind, mac, mtu, up, carrier, master, peer, hairpin, vxlan, addresses }) => ({
        index,
        name,
        kind,
        mac: name === 'lo' ? undefined : mac,
        mtu,
        up,
        carrier,
        master,
        peer,
        hairpin,
        vxlan: vxlan && Object.entries(vxlan).toSorted(),
        addresses: addresses?.map(({ ip, prefix, scope }) => [ip, prefix, scope]),
      }),
    )
    same(
      'ip-route.json',
      parseRoutes,
      `${run('ip', ...json, '-4', 'route', 'show', 'table', 'all')}`,
      ({ destination, type, via, device, source, metric, table, hops }) =>
        destination.includes(':')
          ? {}
          : {
              destination,
              type,
              via,
              device,
              source,
              metric,
              table,
              hops: hops?.map((hop) => Object.entries(hop).toSorted()),
            },
    )
    same('ip-rule4.txt', parseIpRules, run('ip', ...json, 'rule'), (rule) => rule)
    same('ip-neigh.txt', parseNeighbours, run('ip', ...json, 'neigh'), ({ ip, device, mac }) =>
      /^fe80|^ff|^224/.test(ip) || device !== 'flannel.1' ? {} : { ip, device, mac },
    )
    same('bridge-fdb.txt', parseForwarding, run('bridge', ...json, 'fdb'), ({ mac, device, destination }) =>
      device === 'flannel.1' ? { mac, device, destination } : {},
    )
  }
  const theirs = parseSysctls(run('sysctl', '-a')).value
  const ours = parseSysctls(text('sysctl.txt')).value
  for (const name of ['net.ipv4.ip_forward', 'net.ipv4.conf.flannel/1.rp_filter', 'net.bridge.bridge-nf-call-iptables'])
    assert.equal(ours.get(name), theirs.get(name), name)
  assert.match(text('iptables-save.txt'), /^\[0:0\] -A PREROUTING -d 10\.96\.0\.1\/32 -j DNAT/m)
  assert.match(text('nftables.json'), /"name":"mine"/)

  const folder = mkdtempSync(join(tmpdir(), 'fairway-snapshot-'))
  try {
    const own = { files: files.map(({ name, text: said }) => ({ file: `nodes/node-1/${name}`, text: said })) }
    const manifest = {
      fairwaySnapshot: 1 as const,
      made: '2026-11-26T10:00:00Z',
      by: 'test',
      nodes: ['node-1'],
      gaps: [],
    }
    writeFileSync(join(folder, 'own.tar'), encodeSnapshot(manifest, own.files))
    const script = withNetns(netns, () =>
      spawnSync('sh', ['-s', join(folder, 'script.tgz')], {
        input: snapshotScript('test'),
        encoding: 'utf8',
        env: { ...process.env, NODE_NAME: 'node-1', KUBECONFIG: '/nonexistent' },
      }),
    )
    assert.equal(script.stdout, `${join(folder, 'script.tgz')}\n`, script.stderr)
    const [a, b] = ['own.tar', 'script.tgz'].map((file) => readWorld(openInputs([join(folder, file)])))
    assert.deepEqual([a!.problems, b!.problems.filter((problem) => !problem.includes(': nft '))], [[], []])
    for (const { world } of [a!, b!]) {
      const [machine] = world.machines
      assert.deepEqual([world.machines.length, machine?.name], [1, 'node-1'])
      assert.equal(
        machine?.iptables
          .find(({ family }) => family === 4)
          ?.rules.get('nat')
          ?.get('PREROUTING')?.rules.length,
        1,
      )
      assert.ok(machine?.links?.some(({ name }) => name === 'flannel.1'))
      assert.ok(machine?.routes?.some(({ type }) => type === 'unreachable'))
    }
    assert.ok(readFileSync(join(folder, 'script.tgz')).length > 0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
