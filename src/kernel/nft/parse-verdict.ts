import type { Tokens } from '#kernel/nft/lex.ts'
import type { NftVerdict } from '#kernel/nftables/ruleset.ts'

const plain = ['accept', 'drop', 'continue', 'return', 'break', 'queue'] as const

/** Undefined where the next word begins none. */
export function parseVerdict(tokens: Tokens): NftVerdict | undefined {
  const word = tokens.peek()
  const kind = plain.find((item) => item === word)
  if (kind !== undefined) {
    tokens.next()
    return { kind }
  }
  if (word !== 'jump' && word !== 'goto') return undefined
  tokens.next()
  return { kind: word, chain: tokens.next().text }
}
