// `nft list ruleset`, as text or JSON, as instructions for the walk, each rule with its line.

import { compileRuleset } from '#kernel/nft/compile.ts'
import { parseNftJson } from '#kernel/nft/parse-json.ts'
import { parseNft } from '#kernel/nft/parse-text.ts'
import { renderRule } from '#kernel/nft/render-text.ts'
import type { NftRule, NftTable } from '#kernel/nftables/ruleset.ts'
import type { NftDump, Origin } from '#trace/machine.ts'
import type { Input } from '#trace/read/iptables.ts'
import { inferCode, inferredMark, isProxyTable } from '#trace/read/unprinted.ts'

/** Throws NftFormatError. */
export function readNft({ file, text }: Input, kind: 'nft list ruleset' | 'nft -j'): NftDump {
  const { ruleset, rules } = compileRuleset(kind === 'nft -j' ? parseNftJson(text) : parseNft(text))
  const lines = kind === 'nft -j' ? [] : text.split('\n')
  const sources = new Map<NftRule, { readonly text: string; readonly origin: Origin }>()
  const known = (compiled: NftRule, table: NftTable, chain: string): NftRule => {
    const read = rules.get(compiled)!
    const { line = 0 } = read
    const words = lines[line - 1]?.trim() ?? renderRule(read).replaceAll(/"(0x[0-9a-f]+ \[invalid type\])"/g, '$1')
    const code = isProxyTable(table) ? inferCode(words, chain, table.family, compiled.code) : undefined
    const rule = code === undefined ? compiled : { ...compiled, code }
    sources.set(rule, { text: code === undefined ? words : words + inferredMark, origin: { file, line } })
    return rule
  }
  const tables = ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain) => ({
      ...chain,
      rules: chain.rules.map((rule) => known(rule, table, chain.name)),
    })),
  }))
  return { ruleset: { ...ruleset, tables }, sources }
}
