// The doctor in each mode of the proxy and back end of the pod network: healthy, and with every fault alone.
import { test } from 'node:test'
import { faults, makeAndMend, untilHealthy } from '#test/cluster/doctor-faults.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'iptables', 'conntrack'] })

for (const [mode, words] of [
  ['nftables', []],
  ['iptables', []],
  ['nftables', ['--pod-network', 'host-gw']],
] as const)
  test(`doctor: ${[mode, ...words].join(' ')}`, { skip, timeout: 600_000 }, async (t) => {
    const live = new LiveCluster('doctor-modes', [
      '--nodes',
      '2',
      '--proxy-mode',
      mode,
      ...words,
      '-f',
      'examples/hostnames.yaml',
    ])
    try {
      await t.test('healthy', () => untilHealthy(live))
      const hasTunnel = words.length === 0
      for (const fault of faults) {
        if (fault.modes?.includes(mode) === false || (fault.tunnel === true && !hasTunnel)) continue
        await t.test(fault.name, () => makeAndMend(live, [fault]))
      }
    } finally {
      live.down()
    }
  })
