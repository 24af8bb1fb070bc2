// The text of iptables-save as values, and back. Lines that begin with `#` say who made the dump and are left out;
// apart from those, rendering what was parsed gives the same text.
import { parseRule } from '#kernel/iptables/parse-rule.ts'
import { renderRule } from '#kernel/iptables/render-rule.ts'
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
  const tables: { name: string; chains: Map<string, ChainDraft> }[] = []
  const isChain = (name: string) => tables.at(-1)?.chains.has(name) ?? false
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#') || line === 'COMMIT') continue
    const chains = tables.at(-1)?.chains
    if (line.startsWith('*')) tables.push({ name: line.slice(1).trim(), chains: new Map() })
    else if (chains === undefined || !(readChain(line, chains) || readRule(line, chains, isChain, firstLine + index)))
      throw new SaveFormatError(firstLine + index, line)
  }
  return tables.map(({ name, chains }) => ({ name, chains: [...chains.values()] }))
}

const chainLine = /^:(\S+) (\S+) \[(\d+):(\d+)\]$/
function readChain(line: string, chains: Map<string, ChainDraft>): boolean {
  const [, name, policy = '-', packets, bytes] = chainLine.exec(line) ?? []
  if (name === undefined) return false
  const counters = { packets: Number(packets), bytes: Number(bytes) }
  chains.set(name, { name, ...(policy !== '-' && { policy }), counters, rules: [], lines: [] })
  return true
}

const ruleLine = /^(?:\[(\d+):(\d+)\] )?-A (\S+)(?: (.*))?$/
function readRule(
  line: string,
  chains: Map<string, ChainDraft>,
  isChain: (name: string) => boolean,
  number: number,
): boolean {
  const [, packets, bytes, name = '', words = ''] = ruleLine.exec(line) ?? []
  const rule = parseRule(words, isChain)
  const chain = chains.get(name)
  if (chain === undefined || rule === undefined) return false
  const counters = { packets: Number(packets), bytes: Number(bytes) }
  chain.rules.push(packets === undefined ? rule : { counters, ...rule })
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
