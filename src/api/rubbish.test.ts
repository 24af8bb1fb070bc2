// What comes from outside may be anything: each reader answers, and none throws.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyConfig } from '#api/apply/apply.ts'
import { recordUpdate } from '#api/apply/record.ts'
import { decodeValue } from '#api/decode.ts'
import { parseFieldSelector } from '#api/field-selector.ts'
import { parseJson } from '#api/json-text.ts'
import type { ApiObject } from '#api/meta.ts'
import { applyJsonPatch } from '#api/patch/json-patch.ts'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import { applyStrategicPatch } from '#api/patch/strategic.ts'
import { parseQuantity } from '#api/quantity.ts'
import { generateObject, type Random, randomFrom } from '#api/schema/generate.ts'
import { typeNamed } from '#api/schema/schema.ts'
import { parseLabelSelector } from '#api/selector.ts'
import { parseYaml } from '#api/yaml-text.ts'

const types = ['core.Pod', 'core.Service', 'apps.Deployment', 'core.Node', 'rbac.ClusterRole']
const fields = ['core.Service', 'meta.ObjectMeta', 'core.PodSpec', 'core.Container', 'core.ServiceSpec'].flatMap(
  (type) => [...typeNamed(type)!.fields.keys()],
)
const directives = [
  '$patch',
  '$retainKeys',
  '$setElementOrder/ports',
  '$deleteFromPrimitiveList/finalizers',
  '__proto__',
]
const plain = [null, true, 0, 1.5, '', 'delete', '10Mi', 2 ** 40]

function rubbish(random: Random, depth = 0): unknown {
  const choice = random(depth > 5 ? plain.length : 14)
  if (choice < plain.length) return plain[choice]
  if (choice < 10) return Array.from({ length: random(4) }, () => rubbish(random, depth + 1))
  const name = () => (random(8) === 0 ? directives[random(directives.length)]! : fields[random(fields.length)]!)
  return Object.fromEntries(Array.from({ length: random(5) }, () => [name(), rubbish(random, depth + 1)]))
}

/** A value with rubbish here and there. */
function spoilt(value: unknown, random: Random): unknown {
  if (random(12) === 0) return rubbish(random)
  if (Array.isArray(value)) return value.map((item: unknown) => spoilt(item, random))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spoilt(item, random)]))
}

const text = (random: Random, letters: string, most: number) =>
  Array.from({ length: random(most) }, () => letters[random(letters.length)]).join('')

for (let seed = 0; seed < 200; seed++)
  test(`rubbish: seed ${seed}`, () => {
    const random = randomFrom(seed)
    const type = types[seed % types.length]!
    const live = generateObject(type, { random, fullness: 25 })
    const body = random(4) === 0 ? rubbish(random) : spoilt(live, random)
    const stored = JSON.stringify(live)

    const decoded = decodeValue<ApiObject>(type, body)
    applyStrategicPatch(type, live, body)
    applyMergePatch(live, body)
    applyJsonPatch(live, body)
    const op = () => ({
      op: ['add', 'remove', 'replace', 'move', 'copy', 'test'][random(6)],
      path: ['', '/', '/spec', '/metadata/labels/a', '/spec/ports/0', '/spec/ports/-', 'bad'][random(7)],
      from: ['', '/spec', '/metadata'][random(3)],
      value: rubbish(random, 4),
    })
    applyJsonPatch(live, Array.from({ length: random(5) }, op))
    const write = { type, apiVersion: 'v1', kind: 'X', subresource: '', manager: 'kubectl', ignored: [], nowMs: 0 }
    const config = { ...(body as object), apiVersion: 'v1', kind: 'X' }
    applyConfig({ ...write, force: seed % 2 === 0 }, live as ApiObject, config)
    applyConfig({ ...write, force: false }, undefined, body)
    if (decoded.kind === 'ok') recordUpdate({ ...write, manager: 'b' }, live as ApiObject, decoded.object)
    assert.equal(JSON.stringify(live), stored, 'nothing is changed in place')

    const whole = JSON.stringify(body)
    const broken = `${whole.slice(0, random(whole.length + 1))}${text(random, '{}[]":,\\\0', 3)}${whole.slice(random(whole.length + 1))}`
    parseJson(broken)
    parseYaml(broken.slice(0, 300))
    parseLabelSelector(text(random, 'ab=!,() in notin<>1\\\t', 20))
    parseFieldSelector(text(random, 'ab=!,.\\', 12))
    parseQuantity(text(random, '0123456789.eEinumkKMGTP+-', 8))
  })
