// `ipset save`: sets of addresses, ports and ranges, and back.
import { type Parsed, parseLines } from '#kernel/dump/lines.ts'
import { quoteWord, splitWords } from '#kernel/iptables/words.ts'

export type SavedSet = {
  readonly name: string
  /** `hash:ip,port`, `bitmap:port`, `list:set` ... */
  readonly type: string
  /** the words behind the type, as they stood: `family inet hashsize 1024 maxelem 65536` */
  readonly options: readonly string[]
  readonly entries: readonly SetEntry[]
}

export type SetEntry = {
  /** `10.0.0.1,tcp:80` */
  readonly member: string
  /** `nomatch`, `timeout 300`, `comment ...`, as they stood */
  readonly options: readonly string[]
}

export function parseIpsets(text: string): Parsed<SavedSet[]> {
  const sets = new Map<string, { name: string; type: string; options: readonly string[]; entries: SetEntry[] }>()
  const { unread } = parseLines(text, (line) => {
    const [verb, name, what, ...options] = splitWords(line)
    if (name === undefined || what === undefined) return undefined
    if (verb === 'create') return sets.set(name, { name, type: what, options, entries: [] })
    const set = sets.get(name)
    return verb === 'add' && set !== undefined ? set.entries.push({ member: what, options }) : undefined
  })
  return { value: [...sets.values()], unread }
}

export const renderIpsets = (sets: readonly SavedSet[]): string =>
  sets
    .map(({ name, type, options, entries }) =>
      [
        `create ${[name, type, ...options].join(' ')}\n`,
        ...entries.map((entry) => `add ${[name, entry.member, ...renderOptions(entry.options)].join(' ')}\n`),
      ].join(''),
    )
    .join('')

/** Comments are always quoted. */
const renderOptions = (options: readonly string[]) =>
  options.map((word, i) => {
    if (options[i - 1] !== 'comment') return word
    const quoted = quoteWord(word)
    return quoted.startsWith('"') ? quoted : `"${quoted}"`
  })
