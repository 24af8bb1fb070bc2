// What iptables-save says about the things that are ours: which jumps and chains are there, and how many rules they have.
import { parseRule } from '#kernel/iptables/parse-rule.ts'
import type { Rule } from '#kernel/iptables/rule.ts'
import { commentOf } from '#kernel/iptables/rule.ts'
import { isServiceChain } from '#proxy/iptables/chain-name.ts'
import type { Jump, Table } from '#proxy/iptables/frame.ts'
import type { Found } from '#proxy/iptables/restore-text.ts'

/** How many rules each chain has, by `table CHAIN`. */
export type RuleCounts = ReadonlyMap<string, number>

export type Outline = Found & { readonly counts: RuleCounts }

/** Reads dumps of iptables-save, one for each table. Rules of our chains are kept as text, in one piece for each chain. */
export function outline(dumps: Readonly<Partial<Record<Table, string>>>): Outline {
  const counts = new Map<string, number>()
  const texts = new Map<string, string>()
  const jumps = new Map<string, Rule[]>()
  for (const [table, text] of Object.entries(dumps))
    readChains(table, text, (key, lines, count) => {
      counts.set(key, count)
      texts.set(key, lines)
      if (builtIn.test(key))
        jumps.set(
          key,
          lines.split('\n').flatMap((line) => jumpOf(line) ?? []),
        )
    })
  return {
    counts,
    rulesOf: (table, chain) => texts.get(`${table} ${chain}`),
    hasJump: (jump) => (jumps.get(`${jump.table} ${jump.from}`) ?? []).some((rule) => isSameJump(rule, jump)),
    serviceChains: [...counts.keys()].flatMap((key) => {
      const [table, chain = ''] = key.split(' ')
      return table === 'nat' && isServiceChain(chain) ? [chain] : []
    }),
  }
}

/** iptables-save prints all chains, then the rules of one chain after the other. */
function readChains(table: string, text: string, visit: (key: string, lines: string, count: number) => void): void {
  let chain: string | undefined
  let from = 0
  let count = 0
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline + 1
    if (text[at] === ':') visit(`${table} ${text.slice(at + 1, text.indexOf(' ', at))}`, '', 0)
    const name = text.startsWith('-A ', at) ? text.slice(at + 3, wordEnd(text, at + 3)) : undefined
    if (name !== chain) {
      if (chain !== undefined) visit(`${table} ${chain}`, text.slice(from, at), count)
      chain = name
      from = at
      count = 0
    }
    if (name !== undefined) count++
    at = end
  }
}

function wordEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== ' ' && text[at] !== '\n') at++
  return at
}

const jumpOf = (line: string) => (line.includes('KUBE-') ? parseRule(line.slice(line.indexOf(' ', 3) + 1)) : undefined)

const builtIn = / (?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/

/** Whatever the order in which the matches stand. */
function isSameJump(rule: Rule, jump: Jump): boolean {
  const wanted = parseRule(jump.rule)
  if (wanted === undefined || rule.target?.kind !== 'jump' || rule.target.chain !== jump.to) return false
  return commentOf(rule) === commentOf(wanted) && rule.matches.length === wanted.matches.length
}
