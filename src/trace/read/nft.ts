// `nft list ruleset`, as text or JSON, as instructions for the walk, each rule with its line.

import { compileRuleset } from '#kernel/nft/compile.ts'
import { parseNftJson } from '#kernel/nft/parse-json.ts'
import { parseNft } from '#kernel/nft/parse-text.ts'
import { ruleText } from '#kernel/nftables/rule-text.ts'
import type { NftRule } from '#kernel/nftables/ruleset.ts'
import type { NftDump, Origin } from '#trace/machine.ts'
import type { Input } from '#trace/read/iptables.ts'

/** Throws NftFormatError. */
export function readNft({ file, text }: Input, kind: 'nft list ruleset' | 'nft -j'): NftDump {
  const { ruleset, lines } = compileRuleset(kind === 'nft -j' ? parseNftJson(text) : parseNft(text))
  const texts = kind === 'nft -j' ? [] : text.split('\n')
  const sources = new Map<NftRule, { readonly text: string; readonly origin: Origin }>()
  for (const { chains, family, sets } of ruleset.tables) {
    const named = new Map(sets.map((set) => [set.name, set]))
    for (const { rules } of chains)
      for (const rule of rules) {
        const line = lines.get(rule)
        sources.set(rule, {
          text: line === undefined ? ruleText(rule, family, named).join('; ') : (texts[line - 1] ?? '').trim(),
          origin: { file, line: line ?? 0 },
        })
      }
  }
  return { ruleset, sources }
}
