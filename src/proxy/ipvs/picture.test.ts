// A small world of random Services: what comes and goes adds up to the whole.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import { Picture, type PictureChange, serverKey } from '#proxy/ipvs/picture.ts'
import { setKeys } from '#proxy/ipvs/sets.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type Family, type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { chance, randomService, randomSlice, some } from '#test/random-services.ts'
import { seeded } from '#test/random.ts'

const node: NodePlace = { name: 'node-1', zone: 'zone-1', ips: { 4: '10.168.0.2', 6: 'fd00:168::2' } }
const optionsOf = (family: Family): IpvsOptions => ({
  family,
  scheduler: 'rr',
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  local: { kind: 'none' },
  nodePortIps: [node.ips[family]!],
  ownIps: [node.ips[family]!],
  excludeCidrs: [],
})

/** A kernel that does what it is told, and complains where that cannot be. */
class Kernel {
  readonly things = new Set<string>()
  readonly servers = new Map<string, string>()

  take({ sets, addresses, servers }: PictureChange): void {
    for (const [set, { come, gone }] of sets) this.#replace(`${set} `, come, gone)
    this.#replace('address ', addresses.come, addresses.gone)
    for (const { before, after } of servers) {
      const name = (after ?? before)?.server
      if (name === undefined) continue
      assert.equal(this.servers.get(serverKey(name)), before && textOf(before), 'before is what is there')
      if (after === undefined) this.servers.delete(serverKey(name))
      else this.servers.set(serverKey(name), textOf(after))
    }
  }
  #replace(prefix: string, come: readonly string[], gone: readonly string[]): void {
    for (const one of come) assert.ok(!this.things.has(prefix + one), `${one} is there`)
    for (const one of gone) assert.ok(this.things.delete(prefix + one), `${one} is not there`)
    for (const one of come) this.things.add(prefix + one)
  }
}
type Wanted = NonNullable<ReturnType<Picture['server']>>
const textOf = ({ server, endpoints }: Wanted) => JSON.stringify([server, [...endpoints.keys()].sort()])

for (let seed = 1; seed <= 20; seed++)
  test(`IPVS: differences add up to the whole, seed ${seed}`, () => {
    const random = seeded(seed)
    const family = random.pick([4, 6] as const)
    const options = optionsOf(family)
    const services = new Map<number, ReturnType<typeof viewService>>()
    const slices = new Map<string, ReturnType<typeof viewSlice>>()
    const plans = new Map<number, readonly PortPlan[]>()
    const picture = new Picture(options)
    const kernel = new Kernel()
    for (let step = 0; step < 60; step++) {
      const touched = some(random, [1, 2, 3, 4, 5, 6, 7, 8], random.pick([0.1, 0.3, 0.9]))
      const before = touched.flatMap((i) => plans.get(i) ?? [])
      for (const i of touched) {
        // Now and then two Services claim the same addresses.
        const like = chance(random, 0.2) ? 1 : i
        if (chance(random, 0.5))
          services.set(i, chance(random, 0.8) ? viewService(renamed(randomService(random, like), i)) : undefined)
        const which = random.integer(0, 1)
        slices.set(`${i}-${which}`, chance(random, 0.8) ? viewSlice(randomSlice(random, i, which)) : undefined)
        const service = services.get(i)
        const its = [0, 1].flatMap((n) => slices.get(`${i}-${n}`) ?? [])
        plans.set(i, service === undefined ? [] : planService(service, its, family, node))
      }
      kernel.take(
        picture.change(
          before,
          touched.flatMap((i) => plans.get(i)!),
        ),
      )
      const fresh = new Picture(options, [...plans.values()].flat())
      const things = setKeys.flatMap((key) => [...fresh.entries(key)].map((entry) => `${key} ${entry}`))
      const addresses = [...fresh.addresses].map((ip) => `address ${ip}`)
      assert.deepEqual([...kernel.things].sort(), [...things, ...addresses].sort(), `step ${step}`)
      assert.deepEqual([...kernel.servers.keys()].sort(), [...fresh.serverKeys].sort(), `step ${step}`)
      for (const key of fresh.serverKeys) assert.equal(kernel.servers.get(key), textOf(picture.server(key)!))
    }
  })

const renamed = (service: ReturnType<typeof randomService>, i: number) => ({
  ...service,
  metadata: { ...service.metadata, name: `service-${i}` },
})
