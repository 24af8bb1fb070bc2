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

/** Reads dumps of iptables-save, one for each table; rules of Services are only counted. */
export function outline(dumps: Readonly<Partial<Record<Table, string>>>): Outline {
  const counts = new Map<string, number>()
  const jumps = new Map<string, Rule[]>()
  for (const [table, text] of Object.entries(dumps))
    for (const line of text.split('\n')) {
      if (line.startsWith(':')) counts.set(`${table} ${line.slice(1, line.indexOf(' '))}`, 0)
      else if (line.startsWith('-A ')) {
        const end = line.indexOf(' ', 3)
        const chain = `${table} ${line.slice(3, end < 0 ? undefined : end)}`
        counts.set(chain, (counts.get(chain) ?? 0) + 1)
        if (!builtIn.test(chain) || !line.includes('KUBE-')) continue
        const rule = parseRule(line.slice(end + 1))
        if (rule !== undefined) jumps.set(chain, [...(jumps.get(chain) ?? []), rule])
      }
    }
  return {
    counts,
    hasChain: (table, chain) => counts.has(`${table} ${chain}`),
    hasJump: (jump) => (jumps.get(`${jump.table} ${jump.from}`) ?? []).some((rule) => isSameJump(rule, jump)),
    serviceChains: [...counts.keys()].flatMap((key) => {
      const [table, chain = ''] = key.split(' ')
      return table === 'nat' && isServiceChain(chain) ? [chain] : []
    }),
  }
}

const builtIn = / (?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/

/** Whatever the order in which the matches stand. */
function isSameJump(rule: Rule, jump: Jump): boolean {
  const wanted = parseRule(jump.rule)
  if (wanted === undefined || rule.target?.kind !== 'jump' || rule.target.chain !== jump.to) return false
  return commentOf(rule) === commentOf(wanted) && rule.matches.length === wanted.matches.length
}
