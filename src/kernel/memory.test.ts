import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { releaseMemory } from '#kernel/memory.ts'

const anonymousKb = () =>
  Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1] ?? Number.NaN)

test('memory: garbage goes back to the system', () => {
  const kept = [{ last: '' }]
  // 60 MB of objects that live long enough to be moved to the old ones
  for (let some: object[] = [], i = 0; i < 1_000_000; i++) {
    some.push({ i, text: `${i}` })
    if (some.length === 500_000) {
      kept[0]!.last = JSON.stringify(some.at(-1))
      some = []
    }
  }
  const before = anonymousKb()
  releaseMemory()
  assert.ok(anonymousKb() < before - 20_000, `${before} kB before, ${anonymousKb()} kB after`)
  assert.equal(kept[0]!.last, '{"i":999999,"text":"999999"}')
})
