// Sets of characters, as Go's regular expressions name them.

export type CharSet = {
  readonly has: (code: number) => boolean
  /** how much work it is to ask, in steps of a program */
  readonly cost: number
}

export const complementOf = ({ has, cost }: CharSet): CharSet => ({ has: (code) => !has(code), cost })

const ofAscii = (pattern: RegExp): CharSet => ({
  has: (code) => code < 128 && pattern.test(String.fromCharCode(code)),
  cost: 1,
})

export function unionOf(sets: readonly CharSet[], ignoresCase: boolean): CharSet {
  const among = (code: number) => sets.some(({ has }) => has(code))
  const cost = sets.reduce((sum, one) => sum + one.cost, 0)
  return ignoresCase ? { has: (code) => foldsOf(code).some(among), cost: 3 * cost } : { has: among, cost }
}

/** `[from, to, from, to ...]`, in any order. */
export function setOfRanges(ranges: readonly number[]): CharSet {
  const pairs = ranges.flatMap((from, at) => (at % 2 === 0 ? [{ from, to: ranges[at + 1]! }] : []))
  const merged: { from: number; to: number }[] = []
  for (const { from, to } of pairs.sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to)
    else merged.push({ from, to })
  }
  const has = (code: number) => {
    let low = 0
    let high = merged.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (merged[middle]!.to < code) low = middle + 1
      else high = middle
    }
    return low < merged.length && merged[low]!.from <= code
  }
  return { has, cost: 1 }
}

const perl: Readonly<Record<string, CharSet>> = {
  d: ofAscii(/[0-9]/),
  s: ofAscii(/[\t\n\f\r ]/),
  w: ofAscii(/[0-9A-Za-z_]/),
}

/** `d` of `\d`, `D` of `\D` ...; undefined: no class. */
export function perlClass(letter: string): CharSet | undefined {
  const positive = perl[letter.toLowerCase()]
  return positive === undefined || letter === letter.toLowerCase() ? positive : complementOf(positive)
}

const named: Readonly<Record<string, CharSet>> = {
  alnum: ofAscii(/[0-9A-Za-z]/),
  alpha: ofAscii(/[A-Za-z]/),
  ascii: ofAscii(/[^]/),
  blank: ofAscii(/[\t ]/),
  cntrl: { has: (code) => code < 32 || code === 127, cost: 1 },
  digit: ofAscii(/[0-9]/),
  graph: ofAscii(/[!-~]/),
  lower: ofAscii(/[a-z]/),
  print: ofAscii(/[ -~]/),
  punct: ofAscii(/[!-/:-@[-`{-~]/),
  space: ofAscii(/[\t\n\v\f\r ]/),
  upper: ofAscii(/[A-Z]/),
  word: ofAscii(/[0-9A-Za-z_]/),
  xdigit: ofAscii(/[0-9A-Fa-f]/),
}

/** `alpha` or `^alpha` of `[:alpha:]`. */
export function namedClass(name: string): CharSet | undefined {
  const found = Object.hasOwn(named, name.replace(/^\^/, '')) ? named[name.replace(/^\^/, '')] : undefined
  return found !== undefined && name.startsWith('^') ? complementOf(found) : found
}

/** A general category (`L`, `Lu`) or a script (`Greek`). */
export function unicodeClass(name: string, isNegated: boolean, ignoresCase: boolean): CharSet | undefined {
  if (name === 'Any') return { has: () => !isNegated, cost: 1 }
  const pattern = propertyPattern(`General_Category=${name}`) ?? propertyPattern(`Script=${name}`)
  if (pattern === undefined) return undefined
  const one = { has: (code: number) => pattern.test(String.fromCodePoint(code)), cost: 3 }
  const set = unionOf([one], ignoresCase)
  return isNegated ? complementOf(set) : set
}

function propertyPattern(property: string): RegExp | undefined {
  try {
    return new RegExp(`^\\p{${property}}$`, 'u')
  } catch {
    return undefined
  }
}

let orbits: ReadonlyMap<number, readonly number[]> | undefined

/** The characters that differ from this one in case alone, and itself. */
export function foldsOf(code: number): readonly number[] {
  orbits ??= findOrbits()
  return orbits.get(code) ?? [code]
}

/** No letter beyond this has a case. */
const lastCased = 0x1ffff
/** Turkish letters, of which the other case is that of another letter: alone by Unicode's simple folding. */
const alone = new Set([0x130, 0x131])

function findOrbits(): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>()
  for (let code = 0; code <= lastCased; code++) {
    const text = String.fromCodePoint(code)
    for (const other of [text.toLowerCase(), text.toUpperCase()]) {
      const second = other.codePointAt(0)!
      if (other === text || alone.has(code) || other.length > (second > 0xffff ? 2 : 1)) continue
      const both = [...new Set([...(found.get(code) ?? [code]), ...(found.get(second) ?? [second])])]
      for (const one of both) found.set(one, both)
    }
  }
  return found
}
