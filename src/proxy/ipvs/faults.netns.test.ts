// IPVS mode while the kernel refuses, or the process is killed at any moment, for kernels that have it: the next write ends
// where somebody ends who writes everything at once.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { Ipset } from '#kernel/ipset/ipset.ts'
import { Ipvs } from '#kernel/ipvs/ipvs.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { openRoute, Route } from '#kernel/route/open-route.ts'
import type { Change } from '#proxy/dataplane.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'
import type { NodePlace } from '#proxy/state.ts'
import { skipWithoutIpvs as skip } from '#test/ipvs-node.ts'
import { modes } from '#test/proxy-modes.ts'
import { chance, changePlan } from '#test/random-services.ts'
import { seeded } from '#test/random.ts'
import { eventually } from '#test/running-proxy.ts'

const node: NodePlace = { name: 'node-1', zone: 'zone-1', ips: { 4: '10.168.0.2', 6: 'fd00:168::2' } }
const mode = modes.find(({ name }) => name === 'ipvs')!
const rounds = process.env['FAIRWAY_SOAK'] === '1' ? 40 : 3

/** A namespace with a node's addresses; the name tells the mode which node it is. */
function namespace(name: string): Disposable & { readonly path: string } {
  const path = `/run/netns/${name}-${process.pid}-node1`
  createNetns(path)
  using route = openRoute(path)
  route.addDummy({ name: 'eth0', up: true })
  route.addAddress({ link: 'eth0', cidr: '10.168.0.2/24' })
  return { path, [Symbol.dispose]: () => void deleteNetns(path) }
}

/** All that IPVS mode has in the kernel, without counters and seeds of hashes. */
function view(path: string): string[] {
  const run = (...words: string[]) => execFileSync('nsenter', [`--net=${path}`, ...words], { encoding: 'utf8' })
  const addresses = run('ip', '-o', '-4', 'addr', 'show').match(/kube-ipvs0 +inet \S+/g) ?? []
  const sets = run('ipset', 'save').replaceAll(/ (?:initval|hashsize|bucketsize) \S+/g, '')
  const rules = run('iptables-save')
    .split('\n')
    .filter((line) => line.startsWith('-A '))
  return [...run('ipvsadm', '-Sn').split('\n'), ...sets.split('\n'), ...addresses, ...rules].filter(Boolean).sort()
}

/** Every write to the kernel: what it may do instead is decided each time. */
const writes = [
  [Ipvs.prototype, ['addVirtualServer', 'setVirtualServer', 'deleteVirtualServer', 'addRealServer', 'setRealServer']],
  [Ipvs.prototype, ['deleteRealServer']],
  [Ipset.prototype, ['create', 'add', 'delete']],
  [Route.prototype, ['addDummy', 'addAddress', 'deleteAddress']],
] as const

for (let seed = 1; seed <= rounds; seed++)
  test(`IPVS faults: the kernel refuses, or the process ends between two writes, seed ${seed}`, { skip }, async (t) => {
    const random = seeded(seed)
    using here = namespace('here')
    using fresh = namespace('fresh')
    /** how many more in this step: each makes everything be written again */
    let left = 0
    let faults = 0
    for (const [prototype, names] of writes)
      for (const name of names) {
        const original = (prototype as unknown as Record<string, (...words: unknown[]) => unknown>)[name]!
        t.mock.method(
          prototype as never,
          name as never,
          function (this: unknown, ...words: unknown[]) {
            if (left === 0 || !chance(random, 0.05)) return original.apply(this, words)
            left--
            faults++
            // Before it is done, or after.
            if (chance(random, 0.5)) original.apply(this, words)
            throw new NetlinkError('injected', { errno: random.pick([105, 16, 4]) })
          } as never,
        )
      }
    let plane = await mode.open(4, here.path)
    const plans = new Map<string, readonly PortPlan[]>()
    let unsure = true
    for (let step = 0; step < 12; step++) {
      const changes = new Map<string, Change>()
      for (let i = random.integer(1, 3); i > 0; i--) changePlan(random, plans, changes, node)
      left = 2
      for (let isDone = false; !isDone;) {
        isDone = await plane.apply(plans, unsure ? undefined : changes).then(
          () => true,
          () => false,
        )
        unsure = !isDone
        // Killed there: another process finds what is in the kernel, and nothing else.
        if (!isDone && chance(random, 0.5)) {
          plane[Symbol.dispose]()
          plane = await mode.open(4, here.path)
        }
      }
      left = 0
    }
    assert.ok(faults > 0)
    using whole = await mode.open(4, fresh.path)
    await whole.apply(plans)
    const wanted = view(fresh.path)
    // Those that go are swept away by looks.
    await eventually('the same', async () => {
      await plane.check(plans)
      return JSON.stringify(view(here.path)) === JSON.stringify(wanted)
    }).catch(() => assert.deepEqual(view(here.path), wanted))
    assert.equal(await plane.check(plans), undefined)
    await plane.remove()
    assert.deepEqual(view(here.path), [])
    plane[Symbol.dispose]()
  })
