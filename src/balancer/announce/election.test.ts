// Hundreds of nodes on one segment, in simulated time: whoever dies or comes, every address has one node that answers.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { Election, heartbeatMs, silenceMs } from '#balancer/announce/election.ts'
import { rankNodes } from '#balancer/announce/plan.ts'
import { seeded } from '#test/random.ts'

const ips = Array.from({ length: 8 }, (_, i) => `10.0.0.${i + 1}`)

/** A segment on which every frame that is not lost arrives within a millisecond. Time goes in steps of one. */
class Segment {
  readonly names: readonly string[]
  readonly machines = new Map<string, { readonly election: Election; readonly phase: number }>()
  nowMs = 0

  constructor(count: number) {
    this.names = Array.from({ length: count }, (_, i) => `node-${i}`)
  }

  start(name: string, phase: number): void {
    const election = new Election(name)
    election.want(ips.map((ip) => ({ ip, nodes: this.names })))
    election.listen(this.nowMs)
    this.machines.set(name, { election, phase })
  }

  run(ms: number, isLost: () => boolean): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs++)
      for (const [name, { election, phase }] of this.machines) {
        if ((this.nowMs + phase) % heartbeatMs !== 0) continue
        election.beat(this.nowMs)
        for (const [other, { election: ear }] of this.machines)
          if (other !== name && !isLost() && ear.hear(name, this.nowMs)) ear.decide(this.nowMs)
      }
  }

  ownersOf(ip: string): readonly string[] {
    return [...this.machines].filter(([, { election }]) => election.owned.has(ip)).map(([name]) => name)
  }
}

test('250 nodes: each address has one that answers; a death is made good within a second; nothing else moves', (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(seed)
  const segment = new Segment(250)
  const phase = () => random.integer(0, heartbeatMs - 1)
  // One frame of ten thousand; three of the same neighbour in a row are lost once in 1e12.
  const isLost = () => random.next() < 1e-4
  for (const name of segment.names) segment.start(name, phase())
  const settle = () => segment.run(silenceMs + 2 * heartbeatMs, isLost)
  const owners = () => new Map(ips.map((ip) => [ip, segment.ownersOf(ip)]))
  settle()
  let before = owners()
  assert.ok(new Set([...before.values()].flat()).size > 3, 'spread over the nodes')
  const dead = new Set<string>()
  for (let round = 0; round < 6; round++) {
    const dies = Array.from({ length: 10 }, () => random.pick([...segment.machines.keys()]))
    const comes = round % 2 === 1 ? [...dead].slice(0, 8) : []
    for (const name of dies) segment.machines.delete(name)
    for (const name of comes) segment.start(name, phase())
    for (const name of dies) dead.add(name)
    for (const name of comes) dead.delete(name)
    assert.ok(silenceMs + 2 * heartbeatMs <= 1050)
    settle()
    const after = owners()
    for (const ip of ips) {
      const what = `SEED=${seed} round ${round} ${ip}`
      const want = rankNodes({ ip, nodes: segment.names }).find((name) => segment.machines.has(name))
      assert.deepEqual(after.get(ip), [want], what)
      const [had = ''] = before.get(ip)!
      if (segment.machines.has(had) && !comes.includes(want!)) assert.equal(want, had, what)
    }
    before = after
  }
})

test('who was held up itself takes nobody for gone', () => {
  const election = new Election('b')
  const ip = ips.find((one) => rankNodes({ ip: one, nodes: ['a', 'b'] })[0] === 'a')!
  election.want([{ ip, nodes: ['a', 'b'] }])
  election.listen(0)
  for (let nowMs = 0; nowMs <= 1000; nowMs += heartbeatMs) {
    election.hear('a', nowMs)
    election.beat(nowMs)
  }
  assert.deepEqual([...election.owned], [])
  // Nothing ran here for a minute.
  assert.deepEqual(election.beat(61_000), { gained: [], lost: [], silent: [] })
  let nowMs = 61_000
  for (; nowMs <= 61_000 + silenceMs; nowMs += heartbeatMs) assert.deepEqual(election.beat(nowMs).gained, [])
  assert.deepEqual(election.beat(nowMs), { gained: [ip], lost: [], silent: ['a'] })
})

test('who has just come answers for nothing before each neighbour had its turn', () => {
  const election = new Election('a')
  election.want([{ ip: ips[0]!, nodes: ['a'] }])
  election.listen(0)
  assert.deepEqual(election.beat(0).gained, [])
  assert.deepEqual(election.beat(heartbeatMs).gained, [ips[0]])
  election.deafen()
  assert.deepEqual(election.decide(heartbeatMs).lost, [ips[0]])
})
