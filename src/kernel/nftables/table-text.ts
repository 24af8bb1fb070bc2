// A whole table of nftables as text to be read: chains with their rules, sets with their elements. Not to be loaded again.
import type { NftChain, NftElement, NftSet, NftTable } from '#kernel/nftables/ruleset.ts'
import { ruleText } from '#kernel/nftables/rule-text.ts'
import { elementText } from '#kernel/nftables/value-text.ts'

export function tableText(table: NftTable): string {
  const chains = [...table.chains.filter(({ base }) => base), ...table.chains.filter(({ base }) => !base)]
  return [
    `table ${table.family} ${table.name}${comment(table.comment)}\n`,
    ...chains.map((chain) => chainText(chain, table)),
    ...table.sets.map(setText),
  ].join('\n')
}

export function chainText(chain: NftChain, table: NftTable): string {
  const { name, base } = chain
  const sets = new Map(table.sets.map((set) => [set.name, set]))
  const entry = base ? `  ${base.type}, ${base.hook}, priority ${base.priority}, policy ${base.policy}` : ''
  const rules = chain.rules.map((rule) => `  ${oneRule(ruleText(rule, table.family, sets), rule.comment)}\n`)
  return `chain ${name}${entry}${comment(chain.comment)}\n${rules.join('')}`
}

/** Elements in the order of their keys, whatever that of the kernel is. */
export function setText(set: NftSet): string {
  const { name, key, data, interval, dynamic, elements } = set
  const of = data === undefined ? '' : ` : ${data === 'verdict' ? data : data.join(' . ')}`
  const kind = `${data === undefined ? 'set' : 'map'} ${name}  ${key.join(' . ')}${of}`
  const flags = `${interval ? ', ranges' : ''}${dynamic ? ', written by rules' : ''}`
  const whole = interval && !set.concatenated ? withEnds(elements) : elements
  const lines = whole.toSorted(byKey).map((element) => `  ${elementText(element, set)}\n`)
  return `${kind}${flags}${comment(set.comment)}\n${lines.join('')}`
}

/** Ranges of one part are kept as their beginning and the key behind them; a last one may have no end. */
function withEnds(elements: readonly NftElement[]): NftElement[] {
  const sorted = elements.toSorted((a, b) => byKey(a, b) || Number(b.isEnd ?? false) - Number(a.isEnd ?? false))
  return sorted.flatMap((element, i) => {
    if (element.isEnd) return []
    const next = sorted[i + 1]
    return { ...element, keyEnd: next === undefined ? element.key.map(() => 255) : before(next.key) }
  })
}

function before(key: Uint8Array): Uint8Array {
  const bytes = key.slice()
  for (let at = bytes.length - 1; at >= 0 && bytes[at]!-- === 0; at--);
  return bytes
}

function byKey({ key: a }: { readonly key: Uint8Array }, { key: b }: { readonly key: Uint8Array }): number {
  const at = a.findIndex((byte, i) => byte !== b[i])
  return at < 0 ? a.length - b.length : a[at]! - b[at]!
}

/** What does not fit a line has a line for each act, and the comment in front. */
function oneRule(texts: readonly string[], said: string): string {
  const line = `${texts.join('; ')}${comment(said)}`
  return line.length <= 118 ? line : [...(said === '' ? [] : [`# ${said}`]), ...texts].join('\n    ')
}

const comment = (text: string) => (text === '' ? '' : `  # ${text}`)
