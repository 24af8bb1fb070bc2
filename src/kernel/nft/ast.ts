// A ruleset of nftables as `nft` speaks of it: what `nft list ruleset` and `nft -j list ruleset` print. render-text.ts turns
// it back into that text, compile.ts into the kernel's own form, which #kernel/nftables/ruleset.ts describes.

import type { NftFamily, NftVerdict } from '#kernel/nftables/ruleset.ts'

export type Ruleset = { readonly tables: readonly Table[] }

export type Table = {
  readonly family: NftFamily
  readonly name: string
  readonly comment?: string
  readonly dormant: boolean
  readonly chains: readonly Chain[]
  readonly sets: readonly SetObject[]
  /** counters, quotas, flow tables, helpers, in their own words: nothing that a packet's way hangs on */
  readonly others: readonly string[]
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
    /** of several devices those behind the first */
    readonly moreDevices?: readonly string[]
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
  /** lines that mean nothing to packets: `size 65536`, `auto-merge`, `counter` */
  readonly settings: readonly string[]
  readonly elements: readonly Element[]
}
export type SetType = string | Expression

export type Element = {
  readonly key: Expression
  readonly data?: Expression | NftVerdict
  readonly timeoutMs?: number
  readonly expiresMs?: number
  readonly comment?: string
  /** `counter packets 0 bytes 0`, `limit rate 5/second` */
  readonly words?: string
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
  | {
      readonly kind: 'match'
      readonly left: Expression
      readonly op: Operator
      readonly right: Expression
      /** written `tcp flags syn / syn,rst`: of these bits just those */
      readonly isSlash?: true
    }
  /** `words`: what stands behind `queue` */
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict; readonly words?: string }
  | { readonly kind: 'vmap'; readonly key: Expression; readonly to: Expression }
  | {
      readonly kind: 'nat'
      readonly type: 'dnat' | 'snat'
      readonly family?: string
      /** `addr . port`, `prefix` */
      readonly form?: string
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
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number; readonly name?: string }
  | {
      readonly kind: 'limit'
      readonly over: boolean
      readonly rate: number
      readonly per: string
      readonly of: 'packets' | 'bytes'
      /** of bytes: `kbytes`, `mbytes` */
      readonly unit?: string
      /** packets, or `burstUnit` */
      readonly burst: number
      readonly burstUnit?: string
    }
  /** `words`: what stands beside the prefix */
  | { readonly kind: 'log'; readonly prefix: string; readonly words?: string }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'xt'; readonly of: 'match' | 'target'; readonly name: string }
  /** what has no meaning here; `harmless`: the packet goes on as it was */
  | { readonly kind: 'other'; readonly text: string; readonly harmless: boolean }

/** Priorities that have names (linux/netfilter_ipv4.h, linux/netfilter_bridge.h), and the hooks where the names are good. */
const named: readonly (readonly [name: string, priority: number, hooks?: readonly string[]])[] = [
  ['raw', -300],
  ['mangle', -150],
  ['dstnat', -100, ['prerouting', 'output']],
  ['filter', 0],
  ['security', 50],
  ['srcnat', 100, ['postrouting', 'input']],
]
const ofBridges: typeof named = [
  ['dstnat', -300, ['prerouting']],
  ['filter', -200],
  ['out', 100, ['output']],
  ['srcnat', 300, ['postrouting']],
]

const namesFor = (family: string, hook: string): typeof named =>
  (family === 'bridge' ? ofBridges : family === 'netdev' || family === 'arp' ? named.slice(3, 4) : named).filter(
    ([, , hooks]) => hooks === undefined || hooks.includes(hook),
  )

export const priorityNamed = (name: string, family: string, hook: string): number | undefined =>
  namesFor(family, hook).find(([known]) => known === name)?.[1]

/** `filter`, `srcnat + 5`, `-500`: as nft prints it, which knows two names at fewer hooks than it takes them. */
export function priorityText(priority: number, family: string, hook: string): string {
  const near = namesFor(family, hook).find(
    ([name, at]) =>
      Math.abs(at - priority) <= 10 &&
      !(name === 'dstnat' && hook === 'output') &&
      !(name === 'srcnat' && hook === 'input'),
  )
  if (near === undefined) return String(priority)
  const [name, at] = near
  const off = priority - at
  return off === 0 ? name : `${name} ${off < 0 ? '-' : '+'} ${Math.abs(off)}`
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
