// npm run bench -- [NAME...] [--json] [--short] [--peer NAME=PATH]... [--OPTION VALUE]...
// Runs the named benchmarks, or all of them. With --json the last line of each is one object.
import { existsSync, globSync } from 'node:fs'
import { basename } from 'node:path'
import type { Bench, BenchOptions, BenchResult, Figures } from './bench.ts'

const known = globSync('bench/*.ts')
  .map((file) => basename(file, '.ts'))
  .filter((name) => !['run', 'bench', 'namespace'].includes(name))
  .sort()

const names: string[] = []
const peers = new Map<string, string>()
const own = new Map<string, string>()
let json = false
let short = false
const words = process.argv.slice(2)
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  if (word === '--json') json = true
  else if (word === '--short') short = true
  else if (word === '--peer') {
    const [name = '', path = ''] = (words.shift() ?? '').split('=')
    if (existsSync(path)) peers.set(name, path)
    else console.log(`peer ${name} skipped: ${path || 'no path'} does not exist`)
  } else if (word.startsWith('--')) own.set(word.slice(2), words.shift() ?? '')
  else names.push(word)
}
const unknown = names.find((name) => !known.includes(name))
if (unknown !== undefined) {
  console.error(`no benchmark ${unknown}: known are ${known.join(', ')}`)
  process.exit(2)
}

for (const name of names.length > 0 ? names : known) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: Bench }
  console.log(`${name}: ${bench.about}`)
  const options: BenchOptions = { short, peers, own, say: (line) => console.log(`  ${line}`) }
  const result = await bench.run(options)
  print(result)
  if (json) console.log(JSON.stringify({ bench: name, figures: result.figures, peers: result.peers ?? {} }))
}

function print({ figures, peers: others = {}, skipped = [] }: BenchResult): void {
  const width = Math.max(...Object.keys(figures).map((key) => key.length))
  for (const [key, value] of Object.entries(figures)) {
    const ratios = Object.entries(others).flatMap(([peer, theirs]) => ratio(peer, theirs, key, value))
    console.log(`  ${key.padEnd(width)}  ${number(value).padStart(12)}${ratios.map((text) => `   ${text}`).join('')}`)
  }
  for (const reason of skipped) console.log(`  skipped: ${reason}`)
}

function ratio(peer: string, theirs: Figures, key: string, value: number): string[] {
  const other = theirs[key]
  return other === undefined ? [] : [`${peer} ${number(other)} (x ${(value / other).toFixed(2)})`]
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(3)
}
