// A pod that reaches itself through its Service: by the veth's hairpin mode, by a promiscuous bridge, and not at all.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'python3'] })

for (const [mode, proxy] of [
  ['hairpin-veth', 'nftables'],
  ['hairpin-veth', 'iptables'],
  ['promiscuous-bridge', 'nftables'],
  ['promiscuous-bridge', 'iptables'],
  ['none', 'nftables'],
  ['none', 'iptables'],
] as const)
  test(`hairpin mode ${mode} under ${proxy}`, { skip, timeout: 120_000 }, async () => {
    // `up` tries each Service from a pod, which in mode none cannot go well: it is asked not to wait.
    const words = ['--nodes', '1', '--hairpin-mode', mode, '--proxy-mode', proxy, '--wait', '0']
    const live = new LiveCluster('hairpin', [...words, '-f', 'test/cluster/testdata/hairpin.yaml'])
    try {
      // Its plain name is in its own hosts file.
      const ask = (pod: string) => live.sh(`pod/${pod}`, 'curl -sS -m 2 http://counter.default/').text
      await until(() => assert.match(ask('other'), /^\d+ from 10\.244\.0\.\d+$/))
      const [, ip] = / from (\S+)$/.exec(ask('other'))!
      const [other] = live.pods('app=counter')
      const shown = live.sh('node/node-1', 'ip -d link show cni0; bridge -d link').text
      assert.equal(/promiscuity [1-9]/.test(shown), mode === 'promiscuous-bridge')
      // Where the kernel needs it, the cable helps a promiscuous bridge.
      if (mode !== 'promiscuous-bridge') assert.equal(/hairpin on/.test(shown), mode === 'hairpin-veth')

      // From another pod of the node: by its own address, and every datagram once.
      assert.notEqual(ip, other!.ip)
      const send =
        'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (socket.gethostbyname("counter.default"), 81))'
      for (let i = 0; i < 5; i++) live.sh('pod/other', `python3 -c '${send}'`)
      await until(() => assert.match(ask('other'), /^[5-9]/))
      assert.match(ask('other'), /^5 from /, 'each datagram once')

      if (mode === 'none') assert.match(ask('counter'), /timed out/)
      else {
        assert.equal(ask('counter'), '5 from 10.244.0.1')
        live.sh('pod/counter', `python3 -c '${send}'`)
        await until(() => assert.match(ask('other'), /^6 from /))
      }
    } finally {
      live.down()
    }
  })
