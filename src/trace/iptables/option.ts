// The words of a match that is kept as text: `-m NAME WORDS`.

import type { Test } from '#kernel/iptables/rule.ts'

export type Option = { readonly not: boolean; readonly values: readonly string[] }
export type Options = ReadonlyMap<string, Option>

const readings = new WeakMap<readonly string[], Options>()

/** `! --dports 80,443` by name; also `--dports ! 80`, as old versions print it */
export function optionsOf(words: readonly string[]): Options {
  const known = readings.get(words)
  if (known !== undefined) return known
  const options = new Map<string, { not: boolean; values: string[] }>()
  let last: { not: boolean; values: string[] } | undefined
  let not = false
  for (const word of words) {
    if (word === '!') not = true
    else if (word.startsWith('--')) {
      last = { not, values: [] }
      options.set(word.slice(2), last)
      not = false
    } else if (last !== undefined) {
      if (not) last.not = true
      not = false
      last.values.push(word)
    }
  }
  readings.set(words, options)
  return options
}

/** Whether the option is turned round, for what decides by itself. */
export const testOf = ({ not }: Option): Test<unknown> => (not ? { value: undefined, not: true } : { value: undefined })

/** The option as a test of a text. */
export const textTest = (text: string, { not }: Option): Test => (not ? { value: text, not: true } : { value: text })
