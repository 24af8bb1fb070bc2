// A ruleset of nftables as `nft` speaks of it: what `nft list ruleset` and `nft -j list ruleset` print. compile.ts turns it
// into the kernel's own form, which #kernel/nftables/ruleset.ts describes.

import type { NftFamily, NftVerdict } from '#kernel/nftables/ruleset.ts'

export type Ruleset = { readonly tables: readonly Table[] }

export type Table = {
  readonly family: NftFamily
  readonly name: string
  readonly comment?: string
  readonly dormant: boolean
  readonly chains: readonly Chain[]
  readonly sets: readonly SetObject[]
}

export type Chain = {
  readonly name: string
  readonly comment?: string
  readonly base?: {
    readonly type: string
    readonly hook: string
    readonly priority: number
    readonly policy: 'accept' | 'drop'
    readonly device?: string
  }
  readonly rules: readonly Rule[]
}

export type Rule = {
  readonly statements: readonly Statement[]
  readonly comment?: string
  /** from 1, where it was read from a text */
  readonly line?: number
}

export type SetObject = {
  readonly name: string
  readonly comment?: string
  /** what a key is made of: names of types (`ipv4_addr`), or expressions whose types they have */
  readonly key: readonly SetType[]
  /** of maps */
  readonly data?: 'verdict' | readonly SetType[]
  /** `interval`, `timeout`, `dynamic`, `constant` */
  readonly flags: readonly string[]
  readonly timeoutMs?: number
  readonly elements: readonly Element[]
}
export type SetType = string | Expression

export type Element = {
  readonly key: Expression
  readonly data?: Expression | NftVerdict
  readonly timeoutMs?: number
  readonly expiresMs?: number
  readonly comment?: string
}

export type Expression =
  | { readonly kind: 'payload'; readonly protocol: string; readonly field: string }
  /** offset and length in bits */
  | { readonly kind: 'raw'; readonly base: string; readonly offset: number; readonly length: number }
  | { readonly kind: 'meta'; readonly key: string }
  | { readonly kind: 'ct'; readonly key: string; readonly direction?: 'original' | 'reply'; readonly family?: string }
  | { readonly kind: 'fib'; readonly flags: readonly string[]; readonly result: string }
  | { readonly kind: 'numgen'; readonly random: boolean; readonly mod: number; readonly offset: number }
  | {
      readonly kind: 'hash'
      /** undefined: symhash */
      readonly of?: Expression
      readonly mod: number
      readonly seed?: number
      readonly offset: number
    }
  | { readonly kind: 'concat'; readonly parts: readonly Expression[] }
  | { readonly kind: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'map'; readonly key: Expression; readonly to: Expression }
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'prefix'; readonly base: Expression; readonly length: number }
  | { readonly kind: 'range'; readonly first: Expression; readonly last: Expression }
  /** bits that are set together: `established,related` */
  | { readonly kind: 'flags'; readonly items: readonly Expression[] }
  | { readonly kind: 'set'; readonly elements: readonly Element[] }
  | { readonly kind: 'named'; readonly set: string }
  | { readonly kind: 'other'; readonly text: string }

export type Operator = 'implicit' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '!'

export type Statement =
  | { readonly kind: 'match'; readonly left: Expression; readonly op: Operator; readonly right: Expression }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  | { readonly kind: 'vmap'; readonly key: Expression; readonly to: Expression }
  | {
      readonly kind: 'nat'
      readonly type: 'dnat' | 'snat'
      readonly family?: string
      readonly address?: Expression
      readonly port?: Expression
      readonly flags: readonly string[]
    }
  | { readonly kind: 'masquerade' | 'redirect'; readonly port?: Expression; readonly flags: readonly string[] }
  | { readonly kind: 'reject'; readonly with?: string; readonly code?: string }
  | { readonly kind: 'assign'; readonly to: Expression; readonly value: Expression }
  | {
      readonly kind: 'change-set'
      readonly act: 'add' | 'update' | 'delete'
      readonly set: string
      readonly element: Element
    }
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number }
  | {
      readonly kind: 'limit'
      readonly over: boolean
      readonly rate: number
      readonly per: string
      readonly of: 'packets' | 'bytes'
      readonly burst: number
    }
  | { readonly kind: 'log'; readonly prefix: string }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'xt'; readonly of: 'match' | 'target'; readonly name: string }
  /** what has no meaning here; `harmless`: the packet goes on as it was */
  | { readonly kind: 'other'; readonly text: string; readonly harmless: boolean }

/** A priority by its name (linux/netfilter_ipv4.h); bridges have others. */
export const priorities: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
}

/** A text that is no ruleset; `line` counts from 1. */
export class NftFormatError extends Error {
  readonly code = 'NftFormat'
  readonly line: number
  constructor(line: number, message: string) {
    super(`line ${line}: ${message.split('\n')[0]!.slice(0, 160)}`)
    this.name = 'NftFormatError'
    this.line = line
  }
}
