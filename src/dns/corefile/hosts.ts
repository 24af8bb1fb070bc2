// The `hosts` plugin: names from a file in the form of /etc/hosts, or written in the Corefile itself.

import type { CorefileError, Directive } from '#dns/corefile/syntax.ts'
import { normalName } from '#dns/wire/name.ts'
import { parseDuration } from '#lib/duration.ts'
import { formatIp, parseIp } from '#lib/ip.ts'

export type Hosts = {
  /** undefined: only the lines in the Corefile, when there are some */
  readonly file: string | undefined
  readonly zones: readonly string[]
  readonly inline: HostTable
  readonly ttl: number
  readonly reverse: boolean
  /** zones whose names that are not here are left to whoever comes next; the others fail */
  readonly fallthrough: readonly string[]
  readonly reloadMs: number
}

export type HostTable = {
  readonly addresses: ReadonlyMap<string, readonly string[]>
  readonly names: ReadonlyMap<string, readonly string[]>
}

export function parseHosts(directive: Directive): { readonly hosts: Hosts } | { readonly error: CorefileError } {
  const [file, ...zones] = directive.args
  const lines: string[] = []
  let ttl = 3600
  let reverse = true
  let fallthrough: string[] = []
  let reloadMs = 5000
  for (const option of directive.options) {
    const [word = '', ...more] = option.args
    const isAlone = more.length === 0 && option.options.length === 0
    if (parseIp(option.name) !== undefined && word !== '') lines.push([option.name, ...option.args].join(' '))
    else if (option.name === 'fallthrough') fallthrough = option.args.length === 0 ? [''] : option.args.map(normalName)
    else if (option.name === 'no_reverse' && word === '') reverse = false
    else if (option.name === 'ttl' && isAlone && /^[1-9]\d{0,4}$/.test(word)) ttl = Number(word)
    else if (option.name === 'reload' && isAlone && parseDuration(word) !== undefined) reloadMs = parseDuration(word)!
    else
      return {
        error: {
          line: option.line,
          message: `unknown option ${JSON.stringify([option.name, ...option.args].join(' '))} of hosts: known are ADDRESS NAME..., ttl SECONDS, no_reverse, reload DURATION, fallthrough ZONE...`,
        },
      }
  }
  const named = file?.startsWith('/') === true
  return {
    hosts: {
      file: named ? file : lines.length > 0 ? undefined : '/etc/hosts',
      zones: (named ? zones : directive.args).map(normalName),
      inline: readHostsFile(lines.join('\n')),
      ttl,
      reverse,
      fallthrough,
      reloadMs,
    },
  }
}

/** The names and addresses of a hosts file (hosts(5)); lines that make no sense are passed over. */
export function readHostsFile(text: string): HostTable {
  const addresses = new Map<string, string[]>()
  const names = new Map<string, string[]>()
  const add = (map: Map<string, string[]>, key: string, value: string) => {
    const values = map.get(key)
    if (values === undefined) map.set(key, [value])
    else if (!values.includes(value)) values.push(value)
  }
  for (const line of text.split('\n')) {
    const [address, ...hosts] = line.replace(/#.*$/, '').trim().split(/\s+/)
    const bytes = parseIp(address ?? '')
    if (bytes === undefined) continue
    for (const host of hosts) {
      add(addresses, normalName(host), formatIp(bytes))
      add(names, formatIp(bytes), normalName(host))
    }
  }
  return { addresses, names }
}
