// Steps, done by a model of HAProxy that knows its commands, lead to what is wanted, and never over a half edit.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateFileOf } from '#ingress/haproxy/config.ts'
import {
  applyChange,
  basisFor,
  certificateName,
  type Layout,
  layOut,
  layOutChange,
  nowhere,
} from '#ingress/haproxy/layout.ts'
import { planSteps } from '#ingress/haproxy/steps.ts'
import { edit, IngressWorld } from '#test/random-ingresses.ts'
import { seeded } from '#test/random.ts'

/** What HAProxy does at its runtime API, as its management guide tells. Throws at what it would refuse. */
class ModelHaproxy {
  readonly map = new Map<string, string>()
  readonly patterns = new Map<string, string>()
  readonly servers = new Map<string, 'ready' | 'maint'>()
  readonly pems = new Map<string, string>()
  readonly list = new Map<string, string>()
  readonly #uncommitted = new Map<string, string>()

  do(command: string): void {
    const [line = '', ...payload] = command.split('\n')
    const words = (line.match(/(?:\\.|\S)+/g) ?? []).map((word) => word.replaceAll(/\\(.)/g, '$1'))
    const [verb, what, ...rest] = words
    const [first = '', second = '', third = ''] = rest
    const isNew = (known: boolean) => assert.ok(!known, `there is one: ${line}`)
    const isThere = (known: boolean) => assert.ok(known, `there is none: ${line}`)
    switch (`${verb} ${what}`) {
      case 'add server':
        isNew(this.servers.has(first))
        return void this.servers.set(first, 'maint')
      case 'set server':
        isThere(this.servers.has(first))
        return void this.servers.set(first, third as 'ready' | 'maint')
      case 'add map':
        for (const entry of payload.filter((text) => text !== '')) {
          const [key = '', value = ''] = entry.split(' ')
          isNew(this.map.has(key))
          this.map.set(key, value)
        }
        return
      case 'set map': {
        const map = first === '/x/patterns.map' ? this.patterns : this.map
        isThere(map.has(second))
        return void map.set(second, third)
      }
      case 'del map':
        isThere(this.map.delete(second))
        return
      case 'new ssl':
        isNew(this.pems.has(second))
        return void this.pems.set(second, '')
      case 'set ssl':
        isThere(this.pems.has(second))
        return void this.#uncommitted.set(second, payload.join('\n'))
      case 'commit ssl':
        return void this.pems.set(second, this.#uncommitted.get(second)!)
      case 'add ssl': {
        const [file = '', , ...hosts] = payload[0]!.replace(/\[.*?\]/, '[]').split(' ')
        isThere(this.pems.get(file) !== '')
        isNew(this.list.has(file))
        return void this.list.set(file, hosts.join(' '))
      }
      case 'del ssl':
        if (first === 'crt-list') return isThere(this.list.delete(third))
        assert.ok(!this.list.has(second), `still listed: ${line}`)
        return isThere(this.pems.delete(second))
      default:
        assert.fail(`no such command: ${line}`)
    }
  }

  ready(backend: string): readonly string[] {
    return [...this.servers]
      .filter(([name, state]) => name.startsWith(`${backend}/`) && state === 'ready')
      .map(([name]) => name)
  }
}

const serverNames = (layout: Layout, backend: string): readonly string[] =>
  [...(layout.servers.get(backend)?.keys() ?? [])].map((server) => `${backend}/${server}`)

const none: Pick<Layout, 'map' | 'patterns' | 'servers' | 'certificates'> = {
  map: new Map(),
  patterns: new Map(),
  servers: new Map(),
  certificates: new Map(),
}

/** An empty HAProxy and what it has. */
function begin() {
  const layout: Layout = { ...structuredClone(none), defaultCertificate: 'own' }
  const haproxy = new ModelHaproxy()
  haproxy.pems.set('/x/certificates/default.pem', 'own')
  return { layout, haproxy }
}

/** One that starts from the files of a layout. */
function start(layout: Layout): ModelHaproxy {
  const haproxy = new ModelHaproxy()
  for (const [key, value] of layout.map) haproxy.map.set(key, value)
  for (const [key, value] of layout.patterns) haproxy.patterns.set(key, value)
  for (const backend of layout.servers.keys())
    for (const name of serverNames(layout, backend)) haproxy.servers.set(name, 'ready')
  haproxy.pems.set('/x/certificates/default.pem', layout.defaultCertificate!)
  for (const [key, { hosts, pem }] of layout.certificates) {
    const file = certificateFileOf('/x', certificateName(key, hosts))
    haproxy.pems.set(file, pem)
    haproxy.list.set(file, hosts.join(' '))
  }
  return haproxy
}

test('random edits: HAProxy has what the table says, and at no step a route without its servers', (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(seed)
  const world = new IngressWorld()
  const { table } = world
  let basis = basisFor(table, 20)
  let { layout, haproxy } = begin()
  const retiring = new Set<string>()
  let edits = 0
  for (let round = 0; round < 600; round++) {
    const changed = table.update(Array.from({ length: random.integer(1, 3) }, () => edit(random, world)))
    const isBusy = (name: string) => [...retiring].some((server) => server.startsWith(`${name}/`))
    const { backends, certificates, fallback, routes, defaultCertificate = 'own' } = table
    const complete = { backends, certificates, fallback, routes, defaultCertificate }
    const { slots } = basis
    const given = [...changed.backends].map((key) => {
      const backend = backends.get(key)
      return backend === undefined || slots.give(key, backend.settings, isBusy) !== undefined
    })
    const gone = [...changed.backends].filter((key) => !backends.has(key) && slots.find(key) !== undefined)
    const freed = gone.map((key) => slots.find(key)!)
    for (const key of gone) slots.giveBack(key)
    const change = given.includes(false) ? undefined : layOutChange(complete, changed, basis, layout, freed)
    if (change === undefined) {
      basis = basisFor(complete, 20)
      layout = layOut(complete, basis)
      haproxy = start(layout)
      retiring.clear()
      continue
    }
    edits++
    const { steps, retired, recalled } = planSteps('/x', layout, change, retiring)
    const before = { ...layout, servers: new Map(layout.servers) }
    applyChange(layout, change)
    for (const { command } of steps) {
      haproxy.do(command)
      for (const value of haproxy.map.values()) {
        const [backend = ''] = value.split('|')
        if (backend === nowhere) continue
        const [had, has] = [serverNames(before, backend), serverNames(layout, backend)]
        const ready = haproxy.ready(backend)
        if (had.length > 0 && has.length > 0) assert.ok(ready.length > 0, `SEED=${seed} ${round}: ${command}`)
        for (const name of ready) assert.ok(had.includes(name) || has.includes(name), `SEED=${seed} ${round}: ${name}`)
      }
    }
    for (const name of retired) retiring.add(name)
    for (const name of recalled) retiring.delete(name)
    // Now and then a server's last connection ends.
    for (const name of retiring)
      if (random.integer(0, 3) === 0) {
        haproxy.servers.delete(name)
        retiring.delete(name)
      }

    const what = `SEED=${seed} round ${round}`
    const want = layOut(complete, basis)
    assert.deepEqual(layout, want, what)
    assert.deepEqual(haproxy.map, want.map, what)
    assert.deepEqual([...haproxy.patterns], [...want.patterns], what)
    const ready = [...want.servers.keys()].flatMap((backend) => serverNames(want, backend)).sort()
    const known = [...haproxy.servers].filter(([, state]) => state === 'ready').map(([name]) => name)
    assert.deepEqual(known.sort(), ready, what)
    const pems = [...want.certificates.values()].map(({ pem }) => pem)
    assert.deepEqual(
      [...haproxy.pems.values()].map((pem) => pem.trim()).sort(),
      [...pems, defaultCertificate].sort(),
      what,
    )
    const hosts = [...want.certificates.values()].map((served) => served.hosts.join(' '))
    assert.deepEqual([...haproxy.list.values()].sort(), hosts.sort(), what)
  }
  assert.ok(edits > 100, `SEED=${seed}: ${edits} edits without another HAProxy`)
})

test('the order: servers before routes, routes before the servers that they leave', () => {
  const { layout } = begin()
  layout.map.set('a.test/', 'be-0|default/a')
  const old = { address: '10.0.0.1', port: 80, protocol: 'http' } as const
  layout.servers.set('be-0', new Map([['10.0.0.1:80', old]]))
  const { steps, retired } = planSteps(
    '/x',
    layout,
    {
      ...none,
      map: new Map([['a.test/', 'be-1|default/a']]),
      servers: new Map([
        ['be-1', new Map([['[2001:db8::1]:80', { ...old, address: '2001:db8::1' }]])],
        ['be-0', undefined],
      ]),
      defaultCertificate: 'own',
    },
    new Set(),
  )
  assert.deepEqual(
    steps.map(({ command }) => command),
    [
      'add server be-1/[2001:db8::1]:80 [2001:db8::1]:80 weight 100 slowstart 10s pool-purge-delay 5s',
      'set server be-1/[2001:db8::1]:80 state ready',
      'set map /x/routes.map a.test/ be-1|default/a',
      'set server be-0/10.0.0.1:80 state maint',
    ],
  )
  assert.deepEqual(retired, ['be-0/10.0.0.1:80'])
})

test('many routes at once: commands that fit into what HAProxy reads', () => {
  const { layout, haproxy } = begin()
  const map = new Map(Array.from({ length: 1000 }, (_, i) => [`host-${i}.test/`, `be-1|default/ingress-${i}`] as const))
  const { steps } = planSteps('/x', layout, { ...none, map, defaultCertificate: 'own' }, new Set())
  assert.ok(steps.length > 1 && steps.length < 20)
  for (const { command } of steps) {
    assert.ok(command.length < 10_000)
    haproxy.do(command)
  }
  assert.deepEqual(haproxy.map, map)
})
