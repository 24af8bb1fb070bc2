// Texts as mail and haste leave them: cut off, out of order, with rubbish in them.
import type { Random } from '#test/random.ts'

const rubbish = [
  '\u0000\u0001\u{fffd}',
  'Größe: 10 %',
  '这是规则',
  '{',
  '}',
  '"',
  ']]',
  '-A',
  ': ',
  '\\',
  '$(reboot)',
  '0x',
  '::',
  'NaN',
  '\t',
  '99999999999999999999',
  '-1',
  '٣',
]

/** The text with one to six things wrong. */
export function damage(random: Random, text: string): string {
  let broken = text
  for (let n = random.integer(1, 6); n > 0; n--) broken = random.pick(damages)(random, broken)
  return broken
}

const cutAt = (random: Random, text: string) => random.integer(0, text.length)

const damages: readonly ((random: Random, text: string) => string)[] = [
  (r, text) => text.slice(0, cutAt(r, text)),
  (r, text) => text.slice(cutAt(r, text)),
  (r, text) => onLines(text, (lines) => lines.toSpliced(r.integer(0, lines.length), r.integer(0, 5))),
  (r, text) =>
    onLines(text, (lines) =>
      lines
        .map((line) => ({ line, at: r.next() }))
        .sort((a, b) => a.at - b.at)
        .map(({ line }) => line),
    ),
  (r, text) => onLines(text, (lines) => lines.toSpliced(r.integer(0, lines.length), 0, r.pick(rubbish), r.pick(lines))),
  (r, text) => {
    const at = cutAt(r, text)
    return `${text.slice(0, at)}${r.pick(rubbish)}${text.slice(at + r.integer(0, 4))}`
  },
  (r, text) => {
    const words = text.split(' ')
    const [a, b] = [r.integer(0, words.length - 1), r.integer(0, words.length - 1)]
    ;[words[a], words[b]] = [words[b]!, words[a]!]
    return words.join(' ')
  },
  (r, text) =>
    text.replaceAll(r.pick(['"', '{', '}', '.', ':', '-', ',', '0', 'a']), r.pick(['', ' ', '\n', 'ä', '1'])),
]

const onLines = (text: string, change: (lines: string[]) => readonly string[]) => change(text.split('\n')).join('\n')
