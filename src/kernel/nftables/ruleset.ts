// What nftables has, as values: tables, chains, rules down to their instructions, sets with their elements. This is the
// kernel's own form (linux/netfilter/nf_tables.h), which says more than `nft list ruleset` can print.

export type NftFamily = 'inet' | 'ip' | 'arp' | 'netdev' | 'bridge' | 'ip6'

/** NFPROTO_* of linux/netfilter.h. */
export const nftFamilies: ReadonlyMap<number, NftFamily> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
])

export type NftRuleset = {
  /** the kernel's count of changes at the time of reading */
  readonly generation: number
  /** the ruleset changed while it was read, again and again: parts of it may be of different times */
  readonly torn: boolean
  readonly tables: readonly NftTable[]
}

export type NftTable = {
  readonly family: NftFamily
  readonly name: string
  readonly comment: string
  /** its chains are not run */
  readonly dormant: boolean
  readonly chains: readonly NftChain[]
  readonly sets: readonly NftSet[]
}

export type NftChain = {
  readonly name: string
  readonly comment: string
  /** only of chains that the kernel enters by itself */
  readonly base?: {
    readonly type: string
    readonly hook: NftHook
    /** chains of one hook run from the smallest to the greatest */
    readonly priority: number
    readonly policy: 'accept' | 'drop'
    readonly device?: string
    /** of several devices those behind the first */
    readonly moreDevices?: readonly string[]
  }
  readonly rules: readonly NftRule[]
}
export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress'

export type NftRule = { readonly handle: number; readonly comment: string; readonly code: readonly NftInstruction[] }

export type NftVerdict =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'break' | 'return' | 'queue' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

/**
 * One instruction. Registers are numbered by words of 4 bytes, 0 to 15; a longer value goes on in the next ones. A rule
 * ends where an instruction finds nothing or a comparison fails.
 */
export type NftInstruction =
  | { readonly kind: 'immediate'; readonly to: number; readonly value: Uint8Array }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  | { readonly kind: 'payload'; readonly to: number; readonly at: NftPayload }
  | { readonly kind: 'payload-set'; readonly from: number; readonly at: NftPayload }
  | { readonly kind: 'meta'; readonly to: number; readonly key: string }
  | { readonly kind: 'meta-set'; readonly from: number; readonly key: string }
  | { readonly kind: 'ct'; readonly to: number; readonly key: string; readonly direction?: 'original' | 'reply' }
  | { readonly kind: 'ct-set'; readonly from: number; readonly key: string }
  | { readonly kind: 'compare'; readonly register: number; readonly is: NftComparison; readonly value: Uint8Array }
  | {
      readonly kind: 'range'
      readonly register: number
      readonly inside: boolean
      readonly first: Uint8Array
      readonly last: Uint8Array
    }
  /** to = (from & mask) ^ xor */
  | {
      readonly kind: 'bitwise'
      readonly from: number
      readonly to: number
      readonly mask: Uint8Array
      readonly xor: Uint8Array
    }
  | {
      readonly kind: 'shift'
      readonly from: number
      readonly to: number
      readonly length: number
      readonly left: boolean
      readonly bits: number
    }
  /** swaps the bytes of each unit of `size` on machines that are little-endian */
  | {
      readonly kind: 'byteorder'
      readonly from: number
      readonly to: number
      readonly length: number
      readonly size: number
    }
  | {
      readonly kind: 'lookup'
      readonly set: string
      readonly key: number
      /** where a map's data goes; `verdict`: it is what happens next */
      readonly to?: number | 'verdict'
      readonly inverted: boolean
    }
  | {
      readonly kind: 'change-set'
      readonly act: 'add' | 'update' | 'delete'
      readonly set: string
      readonly key: number
      readonly data?: number
      readonly timeoutMs?: number
      readonly inverted: boolean
    }
  | {
      readonly kind: 'number'
      readonly to: number
      readonly below: number
      readonly offset: number
      readonly random: boolean
    }
  | {
      readonly kind: 'hash'
      readonly to: number
      /** undefined: of the connection, the same in both directions */
      readonly of?: { readonly from: number; readonly length: number }
      readonly below: number
      readonly seed: number
      readonly offset: number
    }
  | {
      readonly kind: 'fib'
      readonly to: number
      readonly result: 'oif' | 'oifname' | 'type'
      readonly by: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif')[]
      /** 1 or 0 instead of the result */
      readonly isPresent: boolean
    }
  | {
      readonly kind: 'nat'
      readonly type: 'dnat' | 'snat'
      readonly family: NftFamily
      /** registers */
      readonly address?: number
      readonly addressEnd?: number
      readonly port?: number
      readonly portEnd?: number
      readonly flags: number
    }
  | {
      readonly kind: 'masquerade' | 'redirect'
      readonly port?: number
      readonly portEnd?: number
      readonly flags: number
    }
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'icmp' | 'icmpx'; readonly code: number }
  | { readonly kind: 'counter'; readonly packets: number; readonly bytes: number }
  | {
      readonly kind: 'limit'
      readonly rate: number
      readonly seconds: number
      readonly burst: number
      readonly of: 'packets' | 'bytes'
      readonly over: boolean
    }
  | { readonly kind: 'log'; readonly prefix: string }
  /** a match or target of iptables, in its own binary form */
  | {
      readonly kind: 'match' | 'target'
      readonly name: string
      readonly revision: number
      readonly info: Uint8Array
    }
  | { readonly kind: 'other'; readonly name: string; readonly data: Uint8Array }

export type NftPayload = {
  readonly base: 'link' | 'network' | 'transport' | 'inner'
  readonly offset: number
  readonly length: number
}
export type NftComparison = '==' | '!=' | '<' | '<=' | '>' | '>='

export type NftSet = {
  readonly name: string
  readonly comment: string
  /** made by a rule for itself */
  readonly anonymous: boolean
  /** what keys consist of: `ipv4`, `port` ...; unknown ones are numbers of nft's */
  readonly key: readonly string[]
  /** bytes of each part of a key; in sets of ranges of several parts the kernel says so, else they are known by name */
  readonly keyLengths: readonly number[]
  /** only of maps */
  readonly data?: readonly string[] | 'verdict'
  readonly dataLengths?: readonly number[]
  readonly interval: boolean
  readonly concatenated: boolean
  readonly dynamic: boolean
  readonly timeoutMs?: number
  readonly size?: number
  readonly elements: readonly NftElement[]
}

export type NftElement = {
  readonly key: Uint8Array
  /** last key of a range, in sets of ranges of several parts */
  readonly keyEnd?: Uint8Array
  /** in sets of ranges of one part: the first key behind a range */
  readonly isEnd?: true
  readonly catchAll?: true
  readonly data?: Uint8Array
  readonly verdict?: NftVerdict
  readonly comment?: string
  readonly timeoutMs?: number
  readonly expiresMs?: number
}
