// From what HAProxy has to what it shall have: commands of its runtime API, in an order in which no request ever meets a
// route whose servers are not there.

import {
  certificateFileOf,
  certificateListOf,
  defaultCertificateOf,
  listLine,
  mapFileOf,
  patternFileOf,
  renderMap,
} from '#ingress/haproxy/config.ts'
import { certificateName, type Layout, type LayoutChange, serverWords } from '#ingress/haproxy/layout.ts'
import { equalJson } from '#lib/equal.ts'

/** A command and what HAProxy says where it did it. */
export type Step = { readonly command: string; readonly answer: RegExp }

export type StepPlan = {
  readonly steps: readonly Step[]
  /** `BACKEND/SERVER`: they get nothing new, and are to be deleted once their last connection has ended */
  readonly retired: readonly string[]
  /** of the same form: they had been retired, and are used again */
  readonly recalled: readonly string[]
}

const nothing = /^$/
/** Of one command: HAProxy's buffer has 16 KiB. */
const mostBytes = 8000

/** `retiring`: servers that were retired before and are still there. Takes as long as the change is large. */
export function planSteps(folder: string, has: Layout, change: LayoutChange, retiring: ReadonlySet<string>): StepPlan {
  const servers = planServers(has, change, retiring)
  const certificates = planCertificates(folder, has, change)
  const map = planMap(mapFileOf(folder), has.map, change.map)
  return {
    steps: [
      ...servers.added,
      ...certificates.added,
      ...map.changed,
      ...planMap(patternFileOf(folder), has.patterns, change.patterns).changed,
      ...map.removed,
      ...servers.retired.map((name) => ({ command: `set server ${name} state maint`, answer: nothing })),
      ...certificates.removed,
    ],
    retired: servers.retired,
    recalled: servers.recalled,
  }
}

function planServers(has: Layout, change: LayoutChange, retiring: ReadonlySet<string>) {
  const added: Step[] = []
  const recalled: string[] = []
  const retired: string[] = []
  for (const [backend, servers] of change.servers) {
    const before = has.servers.get(backend)
    for (const [server, at] of servers ?? []) {
      if (before?.has(server)) continue
      const name = `${backend}/${server}`
      if (retiring.has(name)) recalled.push(name)
      else added.push({ command: `add server ${name} ${serverWords(at)}`, answer: /registered/ })
      added.push({ command: `set server ${name} state ready`, answer: nothing })
    }
    for (const server of before?.keys() ?? []) if (!servers?.has(server)) retired.push(`${backend}/${server}`)
  }
  return { added, recalled, retired }
}

function planMap(file: string, has: ReadonlyMap<string, string>, change: LayoutChange['map']) {
  const fresh = new Map<string, string>()
  const changed: Step[] = []
  const removed: Step[] = []
  for (const [key, value] of change) {
    const old = has.get(key)
    if (old === value) continue
    if (value === undefined) removed.push({ command: `del map ${file} ${word(key)}`, answer: nothing })
    else if (old === undefined) fresh.set(key, value)
    else changed.push({ command: `set map ${file} ${word(key)} ${word(value)}`, answer: nothing })
  }
  const adding = chunks(renderMap(fresh)).map((lines) => ({ command: `add map ${file} <<\n${lines}`, answer: nothing }))
  return { changed: [...adding, ...changed], removed }
}

/** A word of a command line. */
const word = (text: string): string => text.replaceAll(/[\\;\s]/g, '\\$&')

function chunks(text: string): string[] {
  const result: string[] = []
  let current = ''
  for (const line of text.match(/.+\n/g) ?? []) {
    if (current.length + line.length > mostBytes) {
      result.push(current)
      current = ''
    }
    current += line
  }
  return current === '' ? result : [...result, current]
}

/** For other hosts a certificate is another file. That of all other names is always there. */
function planCertificates(folder: string, has: Layout, change: LayoutChange) {
  const added: Step[] = []
  const removed: Step[] = []
  const list = certificateListOf(folder)
  const put = (file: string, pem: string) =>
    added.push(
      { command: `set ssl cert ${file} <<\n${pem}`, answer: /^Transaction (created|updated)/ },
      { command: `commit ssl cert ${file}`, answer: /Success!\s*$/ },
    )
  for (const [key, next] of change.certificates) {
    const before = has.certificates.get(key)
    const fileOf = (hosts: readonly string[]) => certificateFileOf(folder, certificateName(key, hosts))
    const isSameFile = before !== undefined && next !== undefined && equalJson(before.hosts, next.hosts)
    if (next !== undefined) {
      const file = fileOf(next.hosts)
      if (!isSameFile) added.push({ command: `new ssl cert ${file}`, answer: /^New empty/ })
      if (!isSameFile || before.pem !== next.pem) put(file, next.pem)
      const line = listLine(folder, certificateName(key, next.hosts), next.hosts)
      if (!isSameFile) added.push({ command: `add ssl crt-list ${list} <<\n${line}\n`, answer: /Success!\s*$/ })
    }
    if (before === undefined || isSameFile) continue
    const file = fileOf(before.hosts)
    removed.push(
      { command: `del ssl crt-list ${list} ${file}`, answer: /deleted/ },
      { command: `del ssl cert ${file}`, answer: /deleted/ },
    )
  }
  if (has.defaultCertificate !== change.defaultCertificate && change.defaultCertificate !== undefined)
    put(defaultCertificateOf(folder), change.defaultCertificate)
  return { added, removed }
}
