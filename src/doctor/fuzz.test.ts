// Damaged bundles: archives with bits turned, JSON with values of other types, texts cut off. A message or a partial answer,
// never a crash, and always an end.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { UserError } from '#daemon/error.ts'
import { compare } from '#doctor/compare/compare.ts'
import { diagnose } from '#doctor/diagnose.ts'
import { planProbes } from '#doctor/probe/plan.ts'
import { predict } from '#doctor/probe/predict.ts'
import { renderReport, reportDocument } from '#doctor/report.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { readView } from '#doctor/view.ts'
import { encodeTar } from '#lib/tar.ts'
import { type Files, recorded, recordedProxy } from '#test/doctor-snapshot.ts'
import { damage } from '#test/random-damage.ts'
import { type Random, seeded } from '#test/random.ts'

const cases = process.env['FAIRWAY_SOAK'] === '1' ? 20_000 : 200

/** Everything that is done with files, to the words that are printed. */
function examine(files: Files): void {
  const view = readView(files)
  for (const only of [undefined, 'default/hostnames', 'default/__proto__']) {
    const diagnosis = diagnose(view, only === undefined ? {} : { only })
    assert.equal(typeof renderReport(diagnosis), 'string')
    JSON.stringify(reportDocument(diagnosis))
  }
  for (const probe of planProbes(view, compare(view), { has: () => true, reaches: () => true }).probes.slice(0, 20))
    predict(view, probe)
}

function seededCases(name: string, run: (random: Random) => void, share = 1): void {
  test(name, () => {
    for (let seed = 1; seed <= cases * share; seed++)
      try {
        run(seeded(seed))
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      }
  })
}

const strange: readonly unknown[] = [
  null,
  true,
  -1,
  1e99,
  0.5,
  '',
  'x',
  '\u0000',
  '10.244.0.3',
  '::',
  [],
  [null],
  [[]],
  {},
  { kind: 'x' },
  '9'.repeat(400),
  { __proto__: 1, constructor: 2 },
]

/** The same document with some values of another kind in it. */
function twist(random: Random, value: unknown, chance: number): unknown {
  if (random.next() < chance) return random.pick(strange)
  if (Array.isArray(value)) return value.map((item) => twist(random, item, chance))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, twist(random, item, chance)]))
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

seededCases('fuzz: values of other types in the objects', (random) => {
  const chance = random.pick([0.002, 0.02, 0.2])
  examine(
    recorded.map(({ file, text }) => {
      const document = json(text)
      return document === undefined ? { file, text } : { file, text: JSON.stringify(twist(random, document, chance)) }
    }),
  )
})

seededCases(
  'fuzz: texts cut off, out of order, with rubbish in them',
  (random) => {
    const files = random.next() < 0.5 ? recorded : recordedProxy('semantics.ipvs')
    examine(files.map(({ file, text }) => ({ file, text: random.next() < 0.1 ? damage(random, text) : text })))
  },
  0.2,
)

seededCases('fuzz: files that are missing, and under other names', (random) => {
  const some = recorded.filter(() => random.next() < 0.5)
  examine(some.map(({ file, text }) => ({ file: random.next() < 0.2 ? random.pick(recorded).file : file, text })))
})

test('fuzz: archives that are cut off or have bits turned', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'))
  const path = join(folder, 'bundle.tgz')
  const members = recorded.map(({ file, text }) => ({ name: file, data: new TextEncoder().encode(text) }))
  const plain = encodeTar(members)
  try {
    for (let seed = 1; seed <= cases / 4; seed++) {
      const random = seeded(seed)
      const whole = random.next() < 0.5 ? new Uint8Array(gzipSync(plain, { level: 1 })) : plain
      const bytes = whole.slice(0, random.next() < 0.5 ? random.integer(0, whole.length) : whole.length)
      for (let n = random.integer(0, 8); n > 0 && bytes.length > 0; n--)
        bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255)
      writeFileSync(path, bytes)
      try {
        examine(openInputs([path]))
      } catch (cause) {
        if (!(cause instanceof UserError)) throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
        assert.ok(cause.remedy !== undefined && cause.remedy !== '', `seed ${seed}`)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
