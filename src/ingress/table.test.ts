// A table that is told of changes is the table that is made of the objects as they are in the end.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '#api/core.ts'
import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { Problem } from '#ingress/compile.ts'
import { IngressTable } from '#ingress/table.ts'
import { edit, IngressWorld, meta } from '#test/random-ingresses.ts'
import { seeded } from '#test/random.ts'

/** All that a table says, in an order of its own. */
function picture(table: IngressTable, told: (key: string) => readonly Problem[]): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  const served = [...table.served.keys()].sort()
  return {
    routes: sorted(table.routes),
    fallback: table.fallback,
    backends: sorted(table.backends),
    certificates: sorted(table.certificates),
    defaultCertificate: table.defaultCertificate,
    problems: served.map((key) => [key, told(key).map(({ reason, message }) => `${reason} ${message}`)]),
  }
}

test('edits one by one or many at once: the same table as from all objects; it names all that is other', (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(seed)
  const world = new IngressWorld()
  const said = new Map<string, readonly Problem[]>()
  for (let round = 0; round < 400; round++) {
    const before = {
      routes: new Map(world.table.routes),
      backends: new Map(world.table.backends),
      certificates: new Map(world.table.certificates),
    }
    const edits = Array.from({ length: random.integer(1, 3) }, () => edit(random, world))
    const changed = world.table.update(edits)
    for (const key of changed.told) said.set(key, world.table.problemsOf(key))

    const fresh = new IngressTable(world.state)
    fresh.update([{ kind: 'all' }])
    const what = `SEED=${seed} round ${round}: ${JSON.stringify(edits)}`
    const want = picture(fresh, (key) => fresh.problemsOf(key))
    assert.deepEqual(
      picture(world.table, (key) => said.get(key) ?? []),
      want,
      what,
    )
    for (const kind of ['routes', 'backends', 'certificates'] as const)
      for (const key of new Set([...before[kind].keys(), ...world.table[kind].keys()]))
        if (!changed[kind].has(key))
          assert.deepEqual(world.table[kind].get(key), before[kind].get(key), `${what} ${key}`)
  }
})

test('what nobody uses any more is forgotten', () => {
  const world = new IngressWorld()
  world.classes.set('ours', { metadata: meta('ours'), spec: { controller: 'fairway/ingress' } })
  world.services.set('default/a', {
    metadata: meta('a'),
    spec: { type: 'ExternalName', externalName: 'out.test' },
  } as Stored<Service>)
  world.addresses.set('out.test', ['192.0.2.1'])
  const ingress = {
    metadata: meta('one'),
    spec: { ingressClassName: 'ours', defaultBackend: { service: { name: 'a', port: { number: 443 } } } },
  } as Stored<Ingress>
  world.ingresses.set('default/one', ingress)
  const { served } = world.table.update([{ kind: 'all' }])
  assert.deepEqual([...served], ['default/one'])
  assert.deepEqual(
    [...world.table.backends.values()].map(({ endpoints }) => endpoints),
    [[{ address: '192.0.2.1', port: 443, name: 'out.test' }]],
  )
  assert.equal(world.table.asksFor('out.test'), true)
  world.ingresses.clear()
  const gone = world.table.update([{ kind: 'ingress', key: 'default/one' }])
  assert.deepEqual([[...gone.served], [...gone.backends]], [['default/one'], ['default/a/443/http']])
  assert.equal(world.table.asksFor('out.test'), false)
  assert.equal(world.table.backends.size, 0)
  assert.equal(world.table.fallback, undefined)
})
