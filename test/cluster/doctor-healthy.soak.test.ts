// Healthy clusters of many shapes, at rest and in motion: the doctor finds nothing, whether it looks or asks.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { examine, headlines } from '#test/cluster/doctor-faults.ts'
import { healthyCluster } from '#test/cluster/healthy-cluster.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { until } from '#test/until.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'iptables', 'conntrack'] })
const [first, last] = (process.env['FAIRWAY_SEEDS'] ?? '1-30').split('-').map(Number) as [number, number]

for (let seed = first; seed <= last; seed++)
  test(`a healthy cluster: seed ${seed}`, { skip, timeout: 180_000 }, async () => {
    const { flags, objects, motions } = healthyCluster(seed)
    const live = new LiveCluster('healthy', flags)
    const assertHealthy = (when: string, ...words: readonly string[]) => {
      const { findings } = examine(live, ...words)
      const said = findings.flatMap(({ evidence }) => evidence).join('\n')
      assert.equal(headlines(findings), '', `seed ${seed} (${flags.join(' ')}), ${when}:\n${said}`)
    }
    try {
      // Somebody outside, behind endpoints that a person wrote.
      live.sh('client', 'setsid python3 -m http.server 80 >/dev/null 2>&1 </dev/null &')
      const applied = live.tryKubectl(
        ['apply', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      )
      assert.equal(applied.status, 0, applied.stderr)
      await until(() => assertHealthy('at rest'))
      assertHealthy('asked', '--probe')
      for (const words of motions) {
        live.kubectl(...words)
        assertHealthy(words.join(' '))
        assertHealthy(`${words.join(' ')}, a moment later`)
      }
    } finally {
      live.down()
    }
  })
