// The text of iptables-save as values, and back. Lines that begin with `#` say who made the dump and are left out;
// apart from those, rendering what was parsed gives the same text.
import { renderRule } from '#kernel/iptables/render-rule.ts'
import { RuleReader } from '#kernel/iptables/rule-reader.ts'
import type { Counters, Rule } from '#kernel/iptables/rule.ts'

export type SavedTable = { readonly name: string; readonly chains: readonly SavedChain[] }

export type SavedChain = {
  readonly name: string
  /** what happens at the end of a built-in chain; undefined for a chain of one's own */
  readonly policy?: string
  readonly counters: Counters
  readonly rules: readonly Rule[]
  /** the line (from 1) that each rule stands in */
  readonly lines: readonly number[]
}

/** A dump that is not one: `line` counts from 1. */
export class SaveFormatError extends Error {
  readonly code = 'SaveFormat'
  readonly line: number
  constructor(line: number, text: string) {
    super(`line ${line} is not from iptables-save: ${text}`)
    this.name = 'SaveFormatError'
    this.line = line
  }
}

type ChainDraft = { name: string; policy?: string; counters: Counters; rules: Rule[]; lines: number[] }

/**
 * Reads the output of iptables-save, with or without counters (`-c`). Throws SaveFormatError. `firstLine`: the number of
 * the first line, where the text is part of a longer one.
 */
export function parseSave(text: string, firstLine = 1): SavedTable[] {
  const tables: { name: string; chains: Map<string, ChainDraft>; reader: RuleReader }[] = []
  let table: (typeof tables)[number] | undefined
  let number = firstLine
  for (let at = 0; at < text.length; number++) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(at, end)
    at = end + 1
    const first = line[0]
    if (first === undefined || first === '#' || line === 'COMMIT') continue
    if (first === '*') {
      const chains = new Map<string, ChainDraft>()
      table = { name: line.slice(1).trim(), chains, reader: new RuleReader((name) => chains.has(name)) }
      tables.push(table)
    } else if (table === undefined || !(readChain(line, table.chains) || readRule(line, table, number)))
      throw new SaveFormatError(number, line.slice(0, 200))
  }
  return tables.map(({ name, chains }) => ({ name, chains: [...chains.values()] }))
}

const chainLine = /^:(\S+) (\S+) \[(\d+):(\d+)\]$/
function readChain(line: string, chains: Map<string, ChainDraft>): boolean {
  if (line[0] !== ':') return false
  const [, name, policy = '-', packets, bytes] = chainLine.exec(line) ?? []
  if (name === undefined) return false
  const counters = { packets: Number(packets), bytes: Number(bytes) }
  chains.set(name, { name, ...(policy !== '-' && { policy }), counters, rules: [], lines: [] })
  return true
}

const countersAtStart = /^\[(\d+):(\d+)\] /
function readRule(
  line: string,
  { chains, reader }: { readonly chains: Map<string, ChainDraft>; readonly reader: RuleReader },
  number: number,
): boolean {
  const counted = line[0] === '[' ? countersAtStart.exec(line) : null
  const start = counted?.[0].length ?? 0
  if (!line.startsWith('-A ', start)) return false
  const blank = line.indexOf(' ', start + 3)
  const name = blank < 0 ? line.slice(start + 3) : line.slice(start + 3, blank)
  const chain = chains.get(name)
  const rule = reader.read(blank < 0 ? '' : line.slice(blank + 1))
  if (chain === undefined || rule === undefined) return false
  chain.rules.push(
    counted === null ? rule : { counters: { packets: Number(counted[1]), bytes: Number(counted[2]) }, ...rule },
  )
  chain.lines.push(number)
  return true
}

/** The text of iptables-save for these tables, without its `#` lines. */
export function renderSave(tables: readonly SavedTable[]): string {
  return tables
    .map(({ name, chains }) => {
      const heads = chains.map((chain) => `:${chain.name} ${chain.policy ?? '-'} ${renderCounters(chain.counters)}\n`)
      const rules = chains.flatMap((chain) => chain.rules.map((rule) => `${renderRuleLine(chain.name, rule)}\n`))
      return `*${name}\n${heads.join('')}${rules.join('')}COMMIT\n`
    })
    .join('')
}

/** `-A CHAIN ...`, with the counters in front where the rule has them. */
export function renderRuleLine(chain: string, rule: Rule): string {
  const words = renderRule(rule)
  const line = words === '' ? `-A ${chain}` : `-A ${chain} ${words}`
  return rule.counters === undefined ? line : `${renderCounters(rule.counters)} ${line}`
}

const renderCounters = ({ packets, bytes }: Counters) => `[${packets}:${bytes}]`
