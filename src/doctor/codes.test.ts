// Every code has a page and stands in the table of pages.
import * as assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { codes, factsOf, isCode } from '#doctor/codes.ts'

const all = Object.keys(codes).filter(isCode)

test('docs/findings: a page for each code, with what it means, how it is seen and put right', () => {
  const pages = readdirSync('docs/findings').filter((file) => file !== 'README.md')
  assert.deepEqual(pages.toSorted(), all.map((code) => `${code}.md`).toSorted())
  for (const code of all) {
    const text = readFileSync(`docs/findings/${code}.md`, 'utf8')
    assert.match(
      text,
      new RegExp(`^# ${code}\\n\\n\\S[^]*\\n## How it is seen\\n\\n\\S[^]*\\n## How it is put right\\n\\n\\S`),
      code,
    )
  }
})

test('docs/findings/README.md: the table of codes', () => {
  const rows = all.map((code) => `| [${code}](${code}.md) | ${factsOf(code).severity} | ${factsOf(code).title} |`)
  const table = ['| code | severity | what |', '|---|---|---|', ...rows].join('\n')
  assert.ok(readFileSync('docs/findings/README.md', 'utf8').includes(table), `the table should be:\n${table}`)
})

test('codes that explain others name codes, and never each other', () => {
  for (const code of all)
    for (const other of factsOf(code).explains ?? []) {
      assert.ok(isCode(other), `${code} explains ${other}`)
      assert.ok(factsOf(other).explains?.includes(code) !== true, `${code} and ${other} explain each other`)
    }
})

test('every code has a test in which its fault is there', () => {
  const tests = [
    ...globSync('src/doctor/**/*.test.ts').filter((file) => !file.endsWith('/codes.test.ts')),
    ...globSync('test/cluster/doctor*.ts'),
  ]
  const text = tests.map((file) => readFileSync(file, 'utf8')).join('\n')
  assert.deepEqual(
    all.filter((code) => !new RegExp(`['"\`]${code}\\b`).test(text)),
    [],
  )
})
