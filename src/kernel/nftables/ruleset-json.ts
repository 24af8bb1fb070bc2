// A ruleset as JSON, to be mailed and looked at elsewhere. Bytes are written as `{"hex": "0a600001"}`.
import { fromHex, toHex } from '#lib/bytes.ts'
import type { NftRuleset } from '#kernel/nftables/ruleset.ts'

/** One line. */
export const renderRulesetJson = (ruleset: NftRuleset): string =>
  JSON.stringify({ fairway: 'nftables', version: 1, ...ruleset }, (_, value: unknown) =>
    value instanceof Uint8Array ? { hex: toHex(value) } : value,
  )

/** Undefined where the text is not such a ruleset. */
export function parseRulesetJson(text: string): NftRuleset | undefined {
  const parsed = tryParse(text)
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const { fairway, version, ...ruleset } = parsed as { fairway?: unknown; version?: unknown } & NftRuleset
  return fairway === 'nftables' && version === 1 && Array.isArray(ruleset.tables) ? ruleset : undefined
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => {
      const hex = typeof value === 'object' && value !== null && 'hex' in value ? value.hex : undefined
      return (typeof hex === 'string' ? fromHex(hex) : undefined) ?? value
    })
  } catch {
    return undefined
  }
}
