// The rules of the house, as one test. ARCHITECTURE.md says why.
import * as assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'

/** Room -> rooms that it may import. This table is the architecture. */
const foundations = ['lib', 'api', 'daemon', 'client', 'kernel', 'pki', 'etcd']
const parts = ['apiserver', 'controllers', 'node', 'proxy', 'dns', 'flannel', 'ingress', 'balancer', 'storage']
const rooms: Record<string, readonly string[]> = {
  lib: [],
  api: ['lib'],
  daemon: ['lib'],
  kernel: ['lib'],
  pki: ['lib'],
  etcd: ['lib'],
  client: ['lib', 'api', 'daemon', 'pki'],
  ...Object.fromEntries(parts.map((part) => [part, foundations])),
  trace: ['lib', 'api', 'kernel'],
  doctor: [...foundations, 'trace', ...parts],
  lab: foundations,
  cli: [...foundations, ...parts, 'trace', 'doctor', 'lab'],
}
/** Packages without effects, which pure files may use. */
const purePackages = ['yaml', '@noble/hashes']
const ambient =
  /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|process\.|console\.|fetch\(|Buffer\b)/

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort()
const text = new Map(files.map((file) => [file, readFileSync(`src/${file}`, 'utf8')]))
const isTest = (file: string) => file.endsWith('.test.ts')
const isEffect = (file: string) => text.get(file)?.startsWith('// effect: ') ?? false
const isPure = (file: string) => !isEffect(file) && !isTest(file) && !file.startsWith('cli/')

type Import = { readonly type: boolean; readonly from: string; readonly dynamic: boolean }
function importsOf(file: string): Import[] {
  const source = text.get(file)!
  const fixed = source.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'"]*?from\s+)?['"]([^'"]+)['"]/gms)
  const dynamic = source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)
  return [
    ...[...fixed].map(([, type, from]) => ({ type: type !== undefined, from: from!, dynamic: false })),
    ...[...dynamic].map(([, from]) => ({ type: false, from: from!, dynamic: true })),
  ]
}
const withoutComments = (source: string) => source.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')

const wrong: string[] = []
for (const file of files) {
  const room = file.split('/')[0]!
  const source = text.get(file)!
  const say = (what: string) => wrong.push(`src/${file}: ${what}`)
  if (!(room in rooms)) say(`unknown room "${room}"`)
  if (!/^[a-z0-9-]+(\.(netns|modes|vm|soak))*(\.test)?\.ts$/.test(basename(file))) say('file names are kebab-case')
  if (/^(index|types|utils?|helpers?|common|manager)\.ts$/.test(basename(file)))
    say('name the file after its main export')
  if (!isTest(file) && source.split('\n').length > 401) say(`longer than 400 lines (${source.split('\n').length})`)
  for (const { type, from, dynamic } of importsOf(file)) {
    if (from === 'node:http' && !type && !isTest(file)) say('import from #daemon/http.ts, which says why')
    if (from.startsWith('.')) say(`import ${from} by its room: #room/file.ts`)
    else if (from.startsWith('#test/')) {
      if (!isTest(file)) say('only tests import #test/')
    } else if (from.startsWith('#')) {
      const to = from.slice(1)
      const toRoom = to.split('/')[0]!
      if (!existsSync(`src/${to}`)) say(`imports ${from}, which does not exist`)
      if (toRoom !== room && !rooms[room]?.includes(toRoom) && !isTest(file)) say(`${room} may not import ${toRoom}`)
      if (room === 'doctor' && parts.includes(toRoom) && isEffect(to))
        say(`doctor may import only pure files of ${toRoom}`)
      if (isPure(file) && !type && isEffect(to)) say(`pure file imports effect ${to}`)
      if (dynamic && room !== 'cli' && !isEffect(file) && !isTest(file))
        say('only cli and effect files import dynamically')
    } else if (isPure(file) && !type && !purePackages.some((name) => from === name || from.startsWith(`${name}/`)))
      say(`pure file imports ${from}`)
  }
  const found = isPure(file) ? ambient.exec(withoutComments(source)) : null
  if (found) say(`pure file uses ${found[0]}`)
}
for (const room of new Set(files.map((file) => file.split('/')[0]!)))
  if (!existsSync(`src/${room}/README.md`)) wrong.push(`src/${room}/README.md: missing`)

/** Files that texts for people name; what stands for many (CODE, *) is none. */
const texts = ['.', 'docs', 'src', 'deploy', 'examples'].flatMap((folder) =>
  readdirSync(folder, { recursive: folder !== '.', encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file)),
)
for (const file of texts)
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
    /`((?:src|test|docs|bench|examples|deploy)\/[^`\s]+)`/g,
  ))
    if (!/[*]|\b[A-Z]{3,}\b/.test(basename(path, '.md')) && !existsSync(path.replace(/:\d+$/, '')))
      wrong.push(`${file}: names ${path}, which does not exist`)

test('tidy: rooms, names, purity', () => assert.deepEqual(wrong, []))
