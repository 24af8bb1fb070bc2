// Snapshots of a healthy cluster with something broken in them: files, and changes to files.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import type { Finding } from '#doctor/finding.ts'
import { renderRemedy } from '#doctor/remedy.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import type { SnapshotFile } from '#doctor/snapshot/snapshot.ts'
import { readView } from '#doctor/view.ts'

export type Files = readonly SnapshotFile[]
export type Change = (files: Files) => Files

/** Two nodes in iptables mode, taken by `fairway snapshot` of `fairway up --nodes 2 --proxy-mode iptables`. */
export const recorded: Files = openInputs(['src/doctor/testdata/iptables'])

export const applied = (files: Files, changes: readonly Change[]): Files =>
  changes.reduce((known, change) => change(known), files)

export const changed = (...changes: readonly Change[]): Files => applied(recorded, changes)

/** Replaces in every file whose name ends so; a change that changes nothing is a mistake in the test. */
export const edit =
  (file: string, from: string | RegExp, to: string): Change =>
  (files) => {
    let hits = 0
    const edited = files.map((item) => {
      if (!item.file.endsWith(file)) return item
      const text = item.text.replaceAll(typeof from === 'string' ? from : new RegExp(from, 'gm'), to)
      if (text !== item.text) hits++
      return { ...item, text }
    })
    assert.ok(hits > 0, `${file} has nothing like ${from}`)
    return edited
  }

/** Lines that match are taken out. */
export const without = (file: string, line: RegExp): Change => edit(file, new RegExp(`^.*${line.source}.*\n`), '')

/** A line behind the first that matches, or in front of it. */
export const insert =
  (file: string, at: RegExp, line: string, where: 'behind' | 'before' = 'behind'): Change =>
  (files) => {
    const first = files
      .filter((item) => item.file.endsWith(file))
      .flatMap(({ text }) => text.split('\n').find((one) => at.test(one)) ?? [])[0]
    assert.ok(first !== undefined, `${file} has no line ${at}`)
    return edit(file, `${first}\n`, where === 'behind' ? `${first}\n${line}\n` : `${line}\n${first}\n`)(files)
  }

/** A file is added, or takes the place of one. */
export const put =
  (file: string, text: string): Change =>
  (files) => [...files.filter((item) => item.file !== `iptables/${file}`), { file: `iptables/${file}`, text }]

export const withoutFiles =
  (pattern: RegExp): Change =>
  (files) =>
    files.filter(({ file }) => !pattern.test(file))

/** What is known of objects alone. */
export const objectsOnly = withoutFiles(/\/(nodes|pods)\//)

// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

/** Changes the objects of a list whose name begins so. */
export const object =
  (list: string, name: string, change: (object: Loose) => void): Change =>
  (files) => {
    let hits = 0
    const edited = files.map((item) => {
      if (!item.file.endsWith(`objects/${list}.json`)) return item
      const document = JSON.parse(item.text) as {
        readonly items: readonly { readonly metadata: { readonly name: string } }[]
      }
      for (const one of document.items)
        if (one.metadata.name.startsWith(name)) {
          hits++
          change(one)
        }
      return { ...item, text: JSON.stringify(document) }
    })
    assert.ok(hits > 0, `no ${name} among ${list}`)
    return edited
  }

/** One more object of a list. */
export const addObject =
  (list: string, kind: string, one: object): Change =>
  (files) => [
    ...files,
    {
      file: `iptables/objects/more-${list}-${files.length}.json`,
      text: JSON.stringify({ apiVersion: 'v1', kind, ...one }),
    },
  ]

export const removeObject =
  (list: string, name: string): Change =>
  (files) =>
    files.map((item) => {
      if (!item.file.endsWith(`objects/${list}.json`)) return item
      const document = JSON.parse(item.text) as {
        readonly items: readonly { readonly metadata: { readonly name: string } }[]
      }
      const items = document.items.filter(({ metadata }) => !metadata.name.startsWith(name))
      assert.notEqual(items.length, document.items.length, `no ${name} among ${list}`)
      return { ...item, text: JSON.stringify({ ...document, items }) }
    })

const pictures = 'src/proxy/testdata'

/** What kube-proxy left on node-1, as recorded for the tests of our own proxy, with the objects that it was given. */
export function recordedProxy(name: string): Files {
  const text = readFileSync(`${pictures}/${name}`, 'utf8')
  const objects = /the objects of (\S+\.yaml)/.exec(text)![1]!
  return [
    ...(name.endsWith('.ipvs') ? sectionsOf(text) : [{ file: name, text: `${headOf(name)}${text}` }]),
    { file: objects, text: readFileSync(`${pictures}/${objects}`, 'utf8') },
  ]
}

/** The line that the program puts above its dump: nothing else tells the family of some. */
const headOf = (name: string): string =>
  /v6\.save|^ip6tables/.test(name) ? '# Generated by ip6tables-save v1.8.9 (nf_tables)\n' : ''

/** `### ipvsadm -Sn` and what it printed. */
const sectionsOf = (text: string): Files =>
  text
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...lines] = part.split('\n')
      const file = `nodes/node-1/${command.split(' ')[0]}.txt`
      if (command.startsWith('ip -o addr')) return { file, text: linksOf(lines) }
      const isSysctl = command === 'sysctl'
      return {
        file,
        text:
          headOf(command) +
          (isSysctl ? lines.map((line) => line.replaceAll('/', '.').replace(' ', ' = ')) : lines).join('\n'),
      }
    })

/** The node's own interface, and what IPVS holds addresses on. */
function linksOf(lines: readonly string[]): string {
  const link = (ifindex: number, ifname: string, addresses: readonly string[]) => ({
    ifindex,
    ifname,
    flags: ['UP', 'LOWER_UP'],
    mtu: 1500,
    addr_info: addresses.map((address) => {
      const [local, prefix] = address.split('/')
      return { family: address.includes(':') ? 'inet6' : 'inet', local, prefixlen: Number(prefix), scope: 'global' }
    }),
  })
  const held = lines.flatMap((line) => /^inet6? (\S+)/.exec(line)?.[1] ?? [])
  return JSON.stringify([link(2, 'eth0', ['10.168.0.2/24', 'fd00:168::2/64']), link(3, 'kube-ipvs0', held)])
}

/** Whatever is said has a reason that one can look at, a consequence, and something to be done. */
export function assertWhole({ code, evidence, consequence, remedy }: Finding): void {
  assert.ok(evidence.length > 0 && evidence.every((text) => text !== ''), `${code}: no evidence`)
  assert.notEqual(consequence, '', code)
  const commands = remedy.filter((one) => !renderRemedy(one, 'kubernetes').startsWith('#'))
  assert.ok(commands.length > 0, `${code}: no command puts it right`)
}

/** A fault, or what only looks like one, in the recorded cluster. */
export type Row = {
  readonly name: string
  readonly changes: readonly Change[]
  /** `CODE about` of every root cause, the first to be mended first */
  readonly roots: readonly string[]
  /** the Service that is asked about */
  readonly only?: string
  /** what its evidence has to show */
  readonly evidence?: RegExp
}

/** A test for each row: the root causes and nothing else, each with all that a finding has. `base`: changes before all. */
export function testRows(what: string, rows: readonly Row[], base: readonly Change[] = []): void {
  for (const { name, changes, roots, only, evidence } of rows)
    test(`${what}: ${name}`, () => {
      const { findings } = diagnose(readView(changed(...base, ...changes)), only === undefined ? {} : { only })
      assert.deepEqual(
        findings.map(({ code, about }) => `${code} ${about}`),
        roots,
      )
      findings.forEach(assertWhole)
      if (evidence !== undefined) assert.match(findings.flatMap((item) => item.evidence).join('\n'), evidence)
    })
}
