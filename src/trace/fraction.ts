// Exact shares. A random match of the kernel compares random bits with a threshold, so shares are fractions over powers
// of two, and their sums are one. Beyond 512 bits they are cut: what is lost is below 2^-500.

export type Fraction = { readonly numerator: bigint; readonly denominator: bigint }

export const one: Fraction = { numerator: 1n, denominator: 1n }
export const zero: Fraction = { numerator: 0n, denominator: 1n }

const most = 1n << 512n

export function fraction(numerator: bigint, denominator: bigint): Fraction {
  if (denominator > most) return { numerator: (numerator * most) / denominator, denominator: most }
  if (denominator === 1n) return { numerator, denominator }
  const divisor = gcd(numerator < 0n ? -numerator : numerator, denominator)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

export const times = (a: Fraction, b: Fraction): Fraction => {
  if (isOne(a)) return b
  if (isOne(b)) return a
  return fraction(a.numerator * b.numerator, a.denominator * b.denominator)
}

export const plus = (a: Fraction, b: Fraction): Fraction =>
  a.numerator === 0n
    ? b
    : fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)

/** What is missing to one. */
export const complement = (a: Fraction): Fraction => fraction(a.denominator - a.numerator, a.denominator)

const isOne = (a: Fraction) => a.numerator === a.denominator

export const toNumber = ({ numerator, denominator }: Fraction): number =>
  Number((numerator * 10n ** 18n) / denominator) / 1e18

/** The share that `-m statistic --probability P` really takes: the kernel keeps round(P * 2^31) of 2^31. */
export function statisticShare(probability: number): Fraction {
  return fraction(BigInt(Math.round(probability * 2 ** 31)), 2n ** 31n)
}

/**
 * The share of each number from `numgen random mod N`: of the 2^32 random numbers, those r for which r * N / 2^32 rounds
 * down to it (linux/kernel.h, reciprocal_scale).
 */
export function randomShare(modulus: number, index: number): Fraction {
  const [n, i, all] = [BigInt(modulus), BigInt(index), 2n ** 32n]
  const first = (i * all + n - 1n) / n
  const next = ((i + 1n) * all + n - 1n) / n
  return fraction(next - first, all)
}

/** `25%`, `33.3%`, `100%`; never `100%` or `0%` for less or more than that. */
export function percent(share: Fraction): string {
  const value = toNumber(share) * 100
  const gap = share.denominator - share.numerator
  if (gap * most < share.denominator * 2n ** 128n && gap > -1n) return '100%'
  const text = value.toFixed(1).replace(/\.0$/, '')
  if (text === '100') return '>99.9%'
  return text === '0' && share.numerator !== 0n ? '<0.1%' : `${text}%`
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b]
  return a === 0n ? 1n : a
}
