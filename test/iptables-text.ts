// What iptables-restore --noflush would make of its input, for tests that must not touch the kernel: table -> chain ->
// rules, each as what stands behind `-A CHAIN `.

export type Chains = Map<string, Map<string, string[]>>

/** Reads a dump of iptables-save, or applies the input of iptables-restore to `chains`. Throws on what would fail. */
export function applyRestore(text: string, chains: Chains = new Map()): Chains {
  let table: Map<string, string[]> | undefined
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || line === 'COMMIT') continue
    if (line.startsWith('*')) {
      table = chains.get(line.slice(1)) ?? new Map<string, string[]>()
      chains.set(line.slice(1), table)
      continue
    }
    if (table === undefined) throw new Error(`no table: ${line}`)
    const [, chain, builtIn] = /^:(\S+) (\S+) \[/.exec(line) ?? []
    if (chain !== undefined) {
      if (builtIn === '-' || !table.has(chain)) table.set(chain, [])
      continue
    }
    applyLine(line, table)
  }
  for (const [name, rules] of chains)
    for (const [chain, lines] of rules)
      for (const line of lines) {
        const [, to] = / -j (KUBE-\S+)/.exec(` ${line}`) ?? []
        if (to !== undefined && !rules.has(to)) throw new Error(`${name}: ${chain} jumps to ${to}, which is not there`)
      }
  return chains
}

function applyLine(line: string, table: Map<string, string[]>): void {
  const [, act, chain = '', rule = ''] = /^-([AIDX]) (\S+)(?: (.*))?$/.exec(line) ?? []
  const rules = table.get(chain)
  if (rules === undefined) throw new Error(`no such chain: ${line}`)
  if (act === 'A') rules.push(rule)
  else if (act === 'I') rules.unshift(rule)
  else if (act === 'X') {
    if (rules.length > 0) throw new Error(`not empty: ${line}`)
    table.delete(chain)
  } else if (act === 'D') {
    const at = rules.indexOf(rule)
    if (at < 0) throw new Error(`no such rule: ${line}`)
    rules.splice(at, 1)
  } else throw new Error(`what is ${line}`)
}

/** The built-in chains of a namespace that nobody has touched. */
export const untouched = (): Chains =>
  applyRestore(
    `*mangle\n${builtIn('PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING')}*filter\n${builtIn('INPUT', 'FORWARD', 'OUTPUT')}*nat\n${builtIn('PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING')}`,
  )

function builtIn(...names: string[]): string {
  return names.map((name) => `:${name} ACCEPT [0:0]\n`).join('')
}

/**
 * Lines that are equal for equal rules: chains in the order of their names, and the rules of chains that all Services
 * share in the order of their text, but for the last rule of nat KUBE-SERVICES.
 */
export function comparable(chains: Chains): string[] {
  const lines: string[] = []
  for (const [table, rules] of [...chains].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const [chain, list] of [...rules].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`${table} ${chain}`)
      const last = list.findIndex((rule) => rule.includes('this must be the last rule'))
      const split = last < 0 ? list.length : last
      const isShared = /^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$/.test(chain)
      const first = list.slice(0, split)
      for (const rule of [...(isShared ? first.sort() : first), ...list.slice(split).sort()])
        lines.push(`${table} ${chain}: ${rule}`)
    }
  return lines
}
