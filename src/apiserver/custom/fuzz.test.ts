// Rubbish as definitions and as custom resources: refused as the client's fault, or taken; the server goes on.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { serveDefinitions } from '#apiserver/custom/serve-definitions.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'
import { type Random, seeded } from '#test/random.ts'

const text = readFileSync(new URL('testdata/definitions.yaml', import.meta.url), 'utf8')
const definitions = Object.values(parse(text) as Record<string, unknown>)
const rounds = process.env['FAIRWAY_SOAK'] ? 20_000 : 300
const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const contentTypes = [
  'application/json',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
]

const rubbish = (random: Random): unknown =>
  random.pick<unknown>([
    null,
    true,
    -1,
    1e300,
    '',
    'x'.repeat(70),
    '(a+)+$',
    '[',
    'integer',
    'object',
    '.spec.x',
    [],
    {},
    [{}],
    { type: 'object', properties: { a: {} } },
    { 'x-kubernetes-preserve-unknown-fields': true },
    { default: { a: 1 }, items: [{}], not: { not: {} } },
  ])

/** The value with some of its parts replaced, taken away or put in. */
function broken(value: unknown, random: Random): unknown {
  if (random.next() < 0.02) return rubbish(random)
  if (Array.isArray(value)) return value.map((item) => broken(item, random))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(() => random.next() > 0.01)
  const more =
    random.next() < 0.02 ? { [random.pick(['type', 'default', 'pattern', '__proto__', 'x'])]: rubbish(random) } : {}
  return { ...Object.fromEntries(kept.map(([key, item]) => [key, broken(item, random)])), ...more }
}

test('rubbish as definitions, and as objects of what was taken', async () => {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  await using api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  await serveDefinitions(api.engine, (error) => {
    throw error
  })
  const ask = async (seed: number, method: string, url: string, body: unknown, type = 'application/json') => {
    const reply = await api
      .request(method, url, { body, headers: { 'content-type': type } })
      .catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${method} ${url}`, { cause: error })
      })
    assert.notEqual(reply.body?.reason, 'InternalError', `seed ${seed}: ${method} ${url}: ${reply.text}`)
    return reply
  }
  let taken = 0
  for (let seed = 1; seed <= rounds; seed++) {
    const random = seeded(seed)
    const whole = random.pick(definitions) as { metadata: { name: string }; spec: Spec }
    const body = broken(whole, random)
    const made = await ask(seed, 'POST', path, body)
    if (made.code !== 201) {
      await ask(seed, 'PUT', `${path}/${whole.metadata.name}`, body)
      await ask(
        seed,
        'PATCH',
        `${path}/${whole.metadata.name}?fieldManager=f&force=true`,
        body,
        random.pick(contentTypes),
      )
      continue
    }
    taken++
    const { group, names, scope, versions } = made.body.spec as Spec
    for (const { name } of versions) {
      const url = `/apis/${group}/${name}/${scope === 'Namespaced' ? 'namespaces/default/' : ''}${names.plural}`
      const object = {
        apiVersion: `${group}/${name}`,
        kind: names.kind,
        metadata: { name: 'x' },
        spec: rubbish(random),
      }
      await ask(seed, 'POST', url, random.pick<unknown>([object, rubbish(random), broken(object, random)]))
      await ask(seed, 'PATCH', `${url}/x?fieldManager=f`, rubbish(random), random.pick(contentTypes))
      await ask(seed, 'PUT', `${url}/x/status`, object)
      await ask(seed, 'GET', url, undefined)
    }
    await ask(seed, 'DELETE', `${path}/${made.body.metadata.name}`, undefined)
  }
  assert.ok(taken > rounds / 50, `${taken} of ${rounds} were taken`)
})

type Spec = {
  readonly group: string
  readonly scope: string
  readonly names: { readonly plural: string; readonly kind: string }
  readonly versions: readonly { readonly name: string }[]
}
