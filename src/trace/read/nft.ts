// `nft list ruleset`, as text or JSON, as instructions for the walk, each rule with its line.

import { compileRuleset } from '#kernel/nft/compile.ts'
import { parseNftJson } from '#kernel/nft/parse-json.ts'
import { parseNft } from '#kernel/nft/parse-text.ts'
import { renderRule } from '#kernel/nft/render-text.ts'
import type { NftRule } from '#kernel/nftables/ruleset.ts'
import type { NftDump, Origin } from '#trace/machine.ts'
import type { Input } from '#trace/read/iptables.ts'

/** Throws NftFormatError. */
export function readNft({ file, text }: Input, kind: 'nft list ruleset' | 'nft -j'): NftDump {
  const { ruleset, rules } = compileRuleset(kind === 'nft -j' ? parseNftJson(text) : parseNft(text))
  const lines = kind === 'nft -j' ? [] : text.split('\n')
  const sources = new Map<NftRule, { readonly text: string; readonly origin: Origin }>()
  for (const [compiled, rule] of rules) {
    const { line = 0 } = rule
    sources.set(compiled, { text: lines[line - 1]?.trim() ?? renderRule(rule), origin: { file, line } })
  }
  return { ruleset, sources }
}
