// Rules below IP, in the tracer and in the kernel.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectNamespace } from '#doctor/snapshot/collect-namespace.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { need } from '#test/need.ts'
import { compare, observe, run, servingTopology } from '#test/trace-against-kernel.ts'
import { readWorld } from '#trace/read/read-world.ts'

const skip = need({ root: true, programs: ['nft'] })

/** Rules below IP, as `nft -f` takes them: at ports of the bridge, at links, and of the bridge itself. */
const lowRules: readonly string[] = [
  'table netdev t { chain c { type filter hook ingress device "to-a" priority 0; ip daddr 10.244.0.12 drop; }; }',
  'table netdev t { chain c { type filter hook ingress device "eth0" priority 0; tcp dport 8080 drop; }; }',
  'table netdev t { chain c { type filter hook egress device "to-b" priority 0; ip saddr 10.244.0.11 drop; }; }',
  'table netdev t { chain c { type filter hook egress device "cni0" priority 0; ip saddr 10.168.0.0/16 udp dport 8080 drop; }; }',
  'table netdev t { chain c { type filter hook egress devices = { "eth0", "to-a" } priority 0; udp sport 8080 drop; }; }',
  'table inet t { chain c { type filter hook ingress device "eth0" priority 0; ip saddr 10.168.0.100 udp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook forward priority 0; ip daddr 10.244.0.12 tcp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook forward priority 0; policy drop; iifname "to-a" oifname "to-b" ip protocol tcp accept; iifname "to-b" accept; }; }',
  'table bridge t { chain c { type filter hook input priority 0; iifname "to-a" meta l4proto udp drop; }; }',
  'table bridge t { chain c { type filter hook output priority 0; oifname "to-a" ip saddr 10.168.0.0/16 drop; }; }',
  'table bridge t { chain c { type filter hook postrouting priority 0; oifname "to-b" ip daddr 10.244.0.12 udp dport 8080 drop; }; }',
  'table bridge t { chain c { type filter hook prerouting priority -300; iifname "to-a" ether type ip ip daddr 10.244.1.11 drop; }; }',
]

test('trace: rules of bridges, and at ingress and egress, are walked', { skip, timeout: 110_000 }, async () => {
  await using net = await servingTopology()
  const probes = (['tcp', 'udp'] as const).flatMap((protocol) =>
    (
      [
        ['a', '10.244.0.12'],
        ['b', '10.244.0.11'],
        ['a', '10.244.1.11'],
        ['client', '10.244.0.11'],
        ['node1', '10.244.0.11'],
      ] as const
    ).map(([from, to]) => ({ from, to, port: 8080, protocol })),
  )
  for (const seen of [1, 0]) {
    writeSysctls({ 'net/bridge/bridge-nf-call-iptables': seen }, net.node1.netns)
    const known = await observe(net)
    for (const [i, rules] of lowRules.entries()) {
      run(net, ['nft', '-f', '-'], rules)
      const isText = i % 2 === seen
      const { files } = await collectNamespace(net.node1.netns, false)
      const dump = isText
        ? { file: 'nodes/node1/nft.txt', text: run(net, ['nft', 'list', 'ruleset']) }
        : { file: 'nodes/node1/nftables.json', text: files.find(({ name }) => name === 'nftables.json')!.text }
      const { world, problems } = readWorld([...known, dump])
      assert.deepEqual(problems, [])
      const wrong = await compare(net, world, probes, 1)
      run(net, ['nft', 'flush', 'ruleset'])
      assert.deepEqual(wrong, [], `${rules}, ${dump.file}, bridge-nf-call-iptables ${seen}\n${wrong.join('\n')}`)
    }
  }
})
