// From the layout that HAProxy has to the one that it shall have: commands of its runtime API, in an order in which no
// request ever meets a route whose servers are not there.

import {
  certificateFileOf,
  certificateListOf,
  defaultCertificateOf,
  listLine,
  mapFileOf,
  renderMap,
} from '#ingress/haproxy/config.ts'
import { type Layout, mapNames, serverWords } from '#ingress/haproxy/layout.ts'

/** A command and what HAProxy says where it did it. */
export type Step = { readonly command: string; readonly answer: RegExp }

export type StepPlan = {
  readonly steps: readonly Step[]
  /** `BACKEND/SERVER`: they get nothing new, and are to be deleted once their last connection has ended */
  readonly retired: readonly string[]
}

const nothing = /^$/
/** Of one command: HAProxy's buffer has 16 KiB. */
const mostBytes = 8000

/** `retiring`: servers that were retired before and are still there. */
export function planSteps(folder: string, from: Layout, to: Layout, retiring: ReadonlySet<string>): StepPlan {
  const added: Step[] = []
  const retired: string[] = []
  for (const [backend, servers] of to.servers)
    for (const [server, at] of servers) {
      if (from.servers.get(backend)?.has(server)) continue
      const name = `${backend}/${server}`
      if (!retiring.has(name)) added.push({ command: `add server ${name} ${serverWords(at)}`, answer: /registered/ })
      added.push({ command: `set server ${name} state ready`, answer: nothing })
    }
  for (const [backend, servers] of from.servers)
    for (const server of servers.keys()) if (!to.servers.get(backend)?.has(server)) retired.push(`${backend}/${server}`)
  const maintained = retired.map((name) => ({ command: `set server ${name} state maint`, answer: nothing }))
  const certificates = planCertificates(folder, from, to)
  const maps = mapNames.map((name) => planMap(mapFileOf(folder, name), from.maps[name], to.maps[name]))
  return {
    steps: [
      ...added,
      ...certificates.added,
      ...maps.flatMap(({ changed }) => changed),
      ...maps.flatMap(({ removed }) => removed),
      ...maintained,
      ...certificates.removed,
    ],
    retired,
  }
}

function planMap(file: string, from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>) {
  const fresh = new Map<string, string>()
  const changed: Step[] = []
  const removed: Step[] = []
  for (const [key, value] of to) {
    const old = from.get(key)
    if (old === undefined) fresh.set(key, value)
    else if (old !== value) changed.push({ command: `set map ${file} ${word(key)} ${word(value)}`, answer: nothing })
  }
  for (const key of from.keys())
    if (!to.has(key)) removed.push({ command: `del map ${file} ${word(key)}`, answer: nothing })
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

/** A file's name stands for its hosts too, so that they do not change under it. The default one is always there. */
function planCertificates(
  folder: string,
  from: Layout,
  to: Layout,
): { added: readonly Step[]; removed: readonly Step[] } {
  const added: Step[] = []
  const removed: Step[] = []
  const list = certificateListOf(folder)
  const put = (file: string, pem: string) =>
    added.push(
      { command: `set ssl cert ${file} <<\n${pem}`, answer: /^Transaction (created|updated)/ },
      { command: `commit ssl cert ${file}`, answer: /Success!\s*$/ },
    )
  for (const [name, { pem, hosts }] of to.certificates) {
    const file = certificateFileOf(folder, name)
    const old = from.certificates.get(name)
    if (old === undefined) added.push({ command: `new ssl cert ${file}`, answer: /^New empty/ })
    if (old?.pem !== pem) put(file, pem)
    if (old !== undefined) continue
    added.push({ command: `add ssl crt-list ${list} <<\n${listLine(folder, name, hosts)}\n`, answer: /Success!\s*$/ })
  }
  if (from.defaultCertificate !== to.defaultCertificate && to.defaultCertificate !== undefined)
    put(defaultCertificateOf(folder), to.defaultCertificate)
  for (const name of from.certificates.keys()) {
    if (to.certificates.has(name)) continue
    const file = certificateFileOf(folder, name)
    removed.push(
      { command: `del ssl crt-list ${list} ${file}`, answer: /deleted/ },
      { command: `del ssl cert ${file}`, answer: /deleted/ },
    )
  }
  return { added, removed }
}
