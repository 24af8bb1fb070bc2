// In the kernel: a rule that somebody replaces by another one is noticed, however soon after the first write.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { planService } from '#proxy/plan/plan.ts'
import { viewService } from '#proxy/state.ts'
import { need } from '#test/need.ts'
import { modes } from '#test/proxy-modes.ts'

const skip = need({ root: true, programs: ['iptables-nft', 'iptables-legacy', 'ip'] })

for (const backend of ['nft', 'legacy'])
  test(`iptables: a rule replaced by one of the same size is noticed, ${backend}`, { skip }, async () => {
    const name = `replaced-${process.pid}-${backend}`
    const netns = `/run/netns/${name}`
    createNetns(netns)
    try {
      const ports = [{ name: 'web', port: 80 }]
      const service = viewService({
        metadata: { namespace: 'demo', name: 'a' },
        spec: { clusterIP: '10.96.0.1', ports },
      })!
      const plans = new Map([['demo/a', planService(service, [], 4, { name: 'node-1', zone: '', ips: {} })]])
      using plane = await modes.find((mode) => mode.name === `iptables (${backend})`)!.open(4, netns)
      const replace = () => {
        const rule = ['-t', 'nat', '-R', 'KUBE-MARK-MASQ', '1', '-j', 'MARK', '--or-mark', '0x8000']
        execFileSync('ip', ['netns', 'exec', name, `iptables-${backend}`, ...rule])
      }
      await plane.apply(plans)
      replace()
      assert.equal(await plane.check(plans), 'rules are not the same any more', 'before any look')
      for (const when of ['after the first look', 'again']) {
        await plane.apply(plans)
        assert.equal(await plane.check(plans), undefined)
        replace()
        assert.equal(await plane.check(plans), 'rules are not the same any more', when)
      }
    } finally {
      deleteNetns(netns)
    }
  })
