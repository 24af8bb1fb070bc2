// One rule of iptables as a value: what the layouts of the proxies and of flannel use is typed, anything else is kept
// word for word, so that any rule survives reading and writing. The order of matches is the order in which they act.

/** A value that a packet is compared with, or must differ from. */
export type Test<T = string> = { readonly value: T; readonly not?: true }

export type Counters = { readonly packets: number; readonly bytes: number }

export type Rule = {
  /** only in dumps that were taken with counters */
  readonly counters?: Counters
  /** address with prefix length, as iptables prints it: `10.96.0.1/32` */
  readonly source?: Test
  readonly destination?: Test
  /** a trailing `+` matches any interface that begins so */
  readonly inInterface?: Test
  readonly outInterface?: Test
  /** name or number, as iptables prints it */
  readonly protocol?: Test
  /** `-f`: second and later fragments, or all but those */
  readonly fragment?: Test<true>
  readonly matches: readonly Match[]
  /** a rule without one only counts */
  readonly target?: Target
}

export type Match =
  | { readonly kind: 'comment'; readonly text: string }
  /** `-m tcp`, `-m udp`, `-m sctp`; ports as printed: `80` or `1024:65535` */
  | {
      readonly kind: 'ports'
      readonly protocol: 'tcp' | 'udp' | 'sctp'
      readonly source?: Test
      readonly destination?: Test
    }
  | { readonly kind: 'conntrack'; readonly states: Test<readonly string[]> }
  | { readonly kind: 'mark'; readonly mark: Test<Masked> }
  | { readonly kind: 'addrtype'; readonly source?: Test; readonly destination?: Test }
  /** the share of packets that match, 0 to 1 in steps of 2^-31 */
  | { readonly kind: 'random'; readonly probability: Test<number> }
  | {
      readonly kind: 'recent'
      readonly action: Test<'set' | 'rcheck' | 'update' | 'remove'>
      readonly seconds?: number
      readonly hitcount?: number
      readonly reap?: true
      readonly name: string
      readonly mask: string
      readonly side: 'rsource' | 'rdest'
    }
  | { readonly kind: 'nfacct'; readonly name: string }
  /** an ipset; `sides` as printed: `src,dst` */
  | { readonly kind: 'set'; readonly name: Test; readonly sides: string }
  | { readonly kind: 'other'; readonly name: string; readonly words: readonly string[] }

/** A mark and the bits of it that count. */
export type Masked = { readonly value: number; readonly mask: number }

export type Target =
  | { readonly kind: 'verdict'; readonly verdict: 'ACCEPT' | 'DROP' | 'RETURN' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }
  | { readonly kind: 'reject'; readonly with: string }
  /** mark = (mark & ~mask) ^ value */
  | { readonly kind: 'mark'; readonly mark: Masked }
  | { readonly kind: 'masquerade'; readonly randomFully?: true; readonly toPorts?: string }
  | { readonly kind: 'dnat'; readonly to: string; readonly random?: true; readonly persistent?: true }
  | { readonly kind: 'snat'; readonly to: string; readonly randomFully?: true; readonly persistent?: true }
  | { readonly kind: 'other'; readonly name: string; readonly words: readonly string[] }

/** What the text of the comments of a rule is, '' without one. */
export function commentOf(rule: Rule): string {
  return rule.matches.map((match) => (match.kind === 'comment' ? match.text : '')).join('')
}
