// Many calls of the plugin at once (a hundred in `npm run soak`), many of them killed in the midst of it, then a runtime that asks
// again: nothing is there twice, and nothing stays.
import * as assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { openNftables } from '#kernel/nftables/nftables.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { type Answer, type Call, installPlugin, startPlugin } from '#test/cni-plugin.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'

const skip = need({ root: true, programs: ['nft'] }) || needOwnNetwork()
const folder = mkdtempSync(join(tmpdir(), 'fairway-cni-kills-'))
const program = skip ? '' : installPlugin(folder)
after(() => rmSync(folder, { recursive: true }))

const isSoak = process.env['FAIRWAY_SOAK'] === '1'
const count = isSoak ? 100 : 12
const dataDir = join(folder, 'leases')
const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.244.7.0/24' }], [{ subnet: 'fd00:7::/64' }]] }
const pathOf = (i: number) => `/run/netns/k-${i}`
const callOf = (command: string, i: number, more: object = {}): Call => ({
  command,
  id: `k${i}`,
  netns: pathOf(i),
  config: {
    cniVersion: '1.1.0',
    name: 'cbr0',
    type: 'fairway',
    hairpinMode: true,
    mtu: 1450,
    ipam,
    runtimeConfig: { portMappings: [{ hostPort: 20_000 + i, containerPort: 80 }] },
    ...more,
  },
})
const all = Array.from({ length: count }, (_, i) => i)
const atOnce = (calls: readonly number[], start: (i: number) => Promise<Answer>) => Promise.all(calls.map(start))

for (const seed of Array.from({ length: isSoak ? 3 : 1 }, () => randomInt(1e9)))
  test(`${count} at once, killed at random (seed ${seed})`, { skip, timeout: 300_000 }, async () => {
    const random = seeded(seed)
    for (const i of all) createNetns(pathOf(i))
    try {
      const begun = performance.now()
      assert.equal((await startPlugin(program, callOf('ADD', 0))).status, 0)
      const aloneMs = performance.now() - begun
      const most = aloneMs * count * 0.6
      const first = await atOnce(all.slice(1), (i) => startPlugin(program, callOf('ADD', i), random.next() * most))
      assert.ok(
        first.some(({ status }) => status === null),
        'none was killed',
      )
      // Some runtimes take away what failed, others ask at once for the same again.
      const half = all.filter(() => random.next() < 0.5)
      await atOnce(half, (i) => startPlugin(program, callOf('DEL', i)))
      for (const [i, { status, body, text }] of (
        await atOnce(all, (i) => startPlugin(program, callOf('ADD', i)))
      ).entries())
        assert.ok(status === 0 || body['code'] === 102, `ADD of k${i} (seed ${seed}): ${text}`)
      assert.equal(leases().length, 2 * count, `leases, seed ${seed}`)
      assert.equal(cables().length, count, `cables, seed ${seed}`)
      const none = { prevResult: { ips: [] } }
      for (const { status, text } of await atOnce(all, (i) => startPlugin(program, callOf('CHECK', i, none))))
        assert.equal(status, 0, `seed ${seed}: ${text}`)
      assert.equal(hostPorts(), count, `host ports, seed ${seed}`)
      for (const { status, text } of await atOnce(all, (i) => startPlugin(program, callOf('DEL', i))))
        assert.equal(status, 0, `seed ${seed}: ${text}`)
      assert.deepEqual([leases(), cables(), hostPorts()], [[], [], 0], `seed ${seed}`)
      assert.deepEqual(
        readdirSync(join(dataDir, 'cbr0')).toSorted(),
        ['last_reserved_ip.0', 'last_reserved_ip.1'],
        `what is left, seed ${seed}`,
      )
    } finally {
      for (const i of all) deleteNetns(pathOf(i))
    }
  })

const leases = () => readdirSync(join(dataDir, 'cbr0')).filter((name) => /^[0-9a-f]+[.:]/.test(name))
const cables = () => {
  using route = openRoute()
  return route.links().filter(({ name }) => /^veth[0-9a-f]{8}$/.test(name))
}
function hostPorts(): number {
  using nftables = openNftables(4)
  return nftables.elements('fairway-hostports', 'ports').length
}
