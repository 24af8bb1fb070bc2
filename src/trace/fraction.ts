// Exact shares. A random match of the kernel compares 31 random bits with a threshold, so shares are fractions over
// powers of 2^31, and their sums are exactly one.

export type Fraction = { readonly numerator: bigint; readonly denominator: bigint }

export const one: Fraction = { numerator: 1n, denominator: 1n }
export const zero: Fraction = { numerator: 0n, denominator: 1n }

export function fraction(numerator: bigint, denominator: bigint): Fraction {
  const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

export const times = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.numerator, a.denominator * b.denominator)

export const plus = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)

/** What is missing to one. */
export const complement = (a: Fraction): Fraction => fraction(a.denominator - a.numerator, a.denominator)

export const toNumber = ({ numerator, denominator }: Fraction): number =>
  Number((numerator * 10n ** 18n) / denominator) / 1e18

/** The share that `-m statistic --probability P` really takes: the kernel keeps round(P * 2^31) of 2^31. */
export function statisticShare(probability: number): Fraction {
  return fraction(BigInt(Math.round(probability * 2 ** 31)), 2n ** 31n)
}

/** `25%`, `33.3%`, `100%`; never `100%` or `0%` for less or more than that. */
export function percent(share: Fraction): string {
  const value = toNumber(share) * 100
  if (share.numerator === share.denominator) return '100%'
  const text = value.toFixed(1).replace(/\.0$/, '')
  if (text === '100') return '>99.9%'
  return text === '0' && share.numerator !== 0n ? '<0.1%' : `${text}%`
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b]
  return a === 0n ? 1n : a
}
