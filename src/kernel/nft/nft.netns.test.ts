// What `nft` prints, as text and as JSON, turned into instructions: they must say the same as those that the kernel has.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compileRuleset } from '#kernel/nft/compile.ts'
import { parseNftJson } from '#kernel/nft/parse-json.ts'
import { parseNft } from '#kernel/nft/parse-text.ts'
import { renderNft } from '#kernel/nft/render-text.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { ruleText } from '#kernel/nftables/rule-text.ts'
import type { NftRuleset, NftTable } from '#kernel/nftables/ruleset.ts'
import { setText } from '#kernel/nftables/table-text.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { randomNft } from '#test/random-rules.ts'

const skip = need({ root: true, programs: ['nft'] })
const nft = (...words: string[]) => execFileSync('nft', words, { encoding: 'utf8', maxBuffer: 1 << 28 })

/** Everything that packets can tell apart, in words; the names of a rule's own sets are their elements. */
function meaning({ tables }: NftRuleset): string[] {
  return tables.flatMap((table) => [
    `${table.family} ${table.name} ${table.dormant}`,
    ...table.sets
      .filter(({ anonymous }) => !anonymous)
      .map((set) => setText({ ...set, comment: '', dynamic: false }).replaceAll(/ \(\d+ s left\)/g, '')),
    ...table.chains.flatMap((chain) => [
      `${chain.name} ${JSON.stringify(chain.base)}`,
      ...chain.rules.map((rule) => `${ruleWords(table, rule)} # ${rule.comment}`),
    ]),
  ])
}

function ruleWords(table: NftTable, rule: NftTable['chains'][number]['rules'][number]): string {
  const sets = new Map(table.sets.map((set) => [set.name, set]))
  const text = ruleText(rule, table.family, sets).join('; ')
  // Types of sets that a rule has for itself are named only in the kernel, and interfaces have numbers only there.
  const plain = (name: string) => {
    const set = sets.get(name)!
    const hex = (types: readonly string[]) => types.map(() => 'hex')
    const data = set.data === undefined || set.data === 'verdict' ? {} : { data: hex(set.data) }
    return setText({ ...set, ...data, key: hex(set.key), comment: '', dynamic: false })
      .split('\n')
      .slice(1)
      .join(',')
  }
  return text
    .replaceAll(/__(set|map)\d+/g, (name) => `{${plain(name)}}`)
    .replaceAll(/\biif == [^;]+/g, 'iifname == "lo"')
    .replaceAll(' for 0 s', '')
}

const testdata = (name: string) => readFileSync(`src/kernel/nft/testdata/${name}.nft`, 'utf8')
const everything = testdata('everything')

/** Loads a text and answers how nft lists it. */
function loaded(text: string): string {
  execFileSync('nft', ['flush', 'ruleset'])
  execFileSync('nft', ['-f', '-'], { input: text })
  return nft('list', 'ruleset').replaceAll(/ expires \w+/g, '')
}

for (const [name, text] of [
  ['every statement that is read', everything],
  ['kube-proxy 1.36', testdata('kube-proxy')],
] as const)
  test(`nft: ${name}: text, JSON and the kernel say the same`, { skip }, () => {
    loaded(text)
    const kernel = meaning(readRuleset())
    assert.ok(kernel.length > 20)
    assert.deepEqual(meaning(compileRuleset(parseNft(nft('-n', 'list', 'ruleset'))).ruleset), kernel)
    assert.deepEqual(meaning(compileRuleset(parseNft(nft('list', 'ruleset'))).ruleset), kernel)
    assert.deepEqual(meaning(compileRuleset(parseNftJson(nft('-j', 'list', 'ruleset'))).ruleset), kernel)
  })

for (const name of ['everything', 'kube-proxy', 'words'])
  test(`nft: ${name}: what was read is written as nft lists it, and loads as the same rules`, { skip }, () => {
    const listed = loaded(testdata(name))
    const written = renderNft(parseNft(listed))
    assert.equal(written, listed)
    assert.equal(loaded(written), listed)
  })

test('nft: random rules are written as nft lists them', { skip }, () => {
  const count = process.env['FAIRWAY_SOAK'] === '1' ? 500 : 20
  for (let seed = 1; seed <= count; seed++) {
    // Of all interfaces only this one is there.
    const listed = loaded(randomNft(seeded(seed), 5).replaceAll(/\b([io]if) ((?:!= )?)"\w+"/g, '$1 $2"lo"'))
    assert.equal(renderNft(parseNft(listed)), listed, `seed ${seed}`)
  }
})

for (const name of ['everything', 'kube-proxy'])
  test(`nft: ${name}: JSON is written as a text that loads as the same rules`, { skip }, () => {
    // nft leaves the comments of tables and chains out of its JSON.
    const uncommented = (text: string) => text.replaceAll(/^\t{1,2}comment .*\n/gm, '')
    const listed = loaded(testdata(name))
    const written = renderNft(parseNftJson(nft('-j', 'list', 'ruleset')))
    assert.equal(uncommented(loaded(written)), uncommented(listed))
  })
