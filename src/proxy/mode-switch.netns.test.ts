// From one mode to another and back while connections come in: none fails, and nothing of the old mode is left.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { underLoad } from '#test/proxy-acceptance.ts'
import { ProxyCluster } from '#test/proxy-cluster.ts'
import { modes } from '#test/proxy-modes.ts'
import { cluster as clusterIp } from '#test/proxy-probe.ts'
import { addresses } from '#test/proxy-topology.ts'

const modeOf = (name: string) => modes.find((mode) => mode.name === name)!

test(
  'a switch of modes loses no connection',
  { skip: need({ root: true, programs: ['iptables', 'ip6tables'] }) },
  async () => {
    await using cluster = await ProxyCluster.start(modeOf('nftables'))
    await cluster.service('web', 60, {
      type: 'NodePort',
      ports: [{ name: 'tcp', port: 80, protocol: 'TCP', nodePort: 30060 }],
    })
    await cluster.endpoints('web', 'a c')
    const to = [
      [clusterIp(60).to(4), 80],
      [addresses.node1[4], 30060],
    ] as const
    for (const name of ['iptables (nft)', 'nftables', 'iptables (legacy)', 'nftables'])
      assert.deepEqual(await underLoad(cluster, 4, to, () => cluster.switchTo(modeOf(name))), [], name)
    for (const program of ['iptables-nft-save', 'iptables-legacy-save']) {
      const text = execFileSync('nsenter', [`--net=${cluster.net.node1.netns}`, program], { encoding: 'utf8' })
      assert.ok(!text.includes('KUBE-SVC') && !text.includes('-j KUBE-SERVICES'), text)
    }
  },
)
