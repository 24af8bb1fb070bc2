// Regular expressions as Go's package regexp reads them (RE2's syntax with Perl's flags): what a pattern says, as a tree. Only
// whether a text matches will be asked, so neither groups nor greed are kept.

import {
  complementOf,
  foldsOf,
  namedClass,
  perlClass,
  setOfRanges,
  unicodeClass,
  unionOf,
  type CharSet,
} from '#api/pattern/char-set.ts'

export type Assertion = 'begin' | 'end' | 'begin line' | 'end line' | 'boundary' | 'no boundary'
export type Expression =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[]; readonly times: number }
  | { readonly kind: 'choice'; readonly choices: readonly Expression[]; readonly times: number }
  | {
      readonly kind: 'repeat'
      readonly what: Expression
      readonly least: number
      readonly most: number
      /** how often what is in it stands at most, counts within counts multiplied */
      readonly times: number
    }

/** Its message is Go's, without what comes before the colon. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
  constructor(what: string, where: string) {
    super(`error parsing regexp: ${what}: \`${where}\``)
  }
}

const mostRepeats = 1000
const deepest = 1000
const longest = 100_000

type Quantifier = { readonly least: number; readonly most: number; readonly isCounted: boolean }
type Flags = { readonly i: boolean; readonly m: boolean; readonly s: boolean }
const noFlags: Flags = { i: false, m: false, s: false }

/** Throws PatternError. */
export function parsePattern(text: string): Expression {
  if (text.length > longest) throw new PatternError('expression too large', text)
  return new Parser(text).whole()
}

class Parser {
  readonly #chars: readonly string[]
  readonly #text: string
  #at = 0
  #flags = noFlags
  #depth = 0

  constructor(text: string) {
    this.#text = text
    this.#chars = [...text]
  }

  whole(): Expression {
    const expression = this.#choice()
    if (this.#peek() === ')') throw new PatternError('unexpected )', this.#text)
    return expression
  }

  #peek(ahead = 0): string | undefined {
    return this.#chars[this.#at + ahead]
  }
  #startsWith(text: string): boolean {
    return [...text].every((char, index) => this.#peek(index) === char)
  }
  #from(start: number): string {
    return this.#chars.slice(start, this.#at).join('')
  }

  #choice(): Expression {
    if (++this.#depth > deepest) throw new PatternError('expression nests too deeply', this.#text)
    const choices = [this.#sequence()]
    while (this.#peek() === '|') {
      this.#at++
      choices.push(this.#sequence())
    }
    this.#depth--
    return choices.length === 1 ? choices[0]! : { kind: 'choice', choices, times: timesOf(choices) }
  }

  #sequence(): Expression {
    const parts: Expression[] = []
    for (;;) {
      const char = this.#peek()
      if (char === undefined || char === '|' || char === ')') return { kind: 'sequence', parts, times: timesOf(parts) }
      if (this.#startsWith('\\Q')) {
        parts.push(...this.#quoted())
      } else {
        const atom = this.#atom(char)
        if (atom !== undefined) parts.push(atom)
      }
      // Flags and empty quotes are nothing themselves: what is repeated after them stands before.
      const last = parts.pop()
      if (last !== undefined) parts.push(this.#repeated(last))
      else this.#refuseRepeat()
    }
  }

  #refuseRepeat(): void {
    const start = this.#at
    if (this.#quantifier() === undefined) return
    throw new PatternError('missing argument to repetition operator', this.#from(start))
  }

  #repeated(what: Expression): Expression {
    const first = this.#at
    const quantifier = this.#quantifier()
    if (quantifier === undefined) return what
    const second = this.#at
    if (this.#quantifier() !== undefined)
      throw new PatternError('invalid nested repetition operator', this.#from(first))
    this.#at = second
    const { least, most, isCounted } = quantifier
    const times = (isCounted ? (most === Infinity ? least : most) : 1) * timesOf([what])
    if (isCounted && times > mostRepeats) throw new PatternError('invalid repeat count', this.#from(first))
    return { kind: 'repeat', what, least, most, times }
  }

  /** Undefined: there is none; a brace that counts nothing stands for itself. */
  #quantifier(): Quantifier | undefined {
    const found = this.#greedyQuantifier()
    if (found !== undefined && this.#peek() === '?') this.#at++
    return found
  }

  #greedyQuantifier(): Quantifier | undefined {
    const char = this.#peek()
    const simple = { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] } as const
    if (char === '*' || char === '+' || char === '?') {
      this.#at++
      const [least, most] = simple[char]
      return { least, most, isCounted: false }
    }
    if (char !== '{') return undefined
    const start = this.#at
    const found = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#chars.slice(start, start + 32).join(''))
    // Go takes no leading zeros for a count.
    if (found === null || [found[1]!, found[3] ?? ''].some((digits) => /^0\d/.test(digits))) return undefined
    this.#at += found[0].length
    const least = Number(found[1])
    const most = found[2] === undefined ? least : found[3] === '' ? Infinity : Number(found[3])
    const isWrong = least > mostRepeats || (most !== Infinity && (most > mostRepeats || most < least))
    if (isWrong) throw new PatternError('invalid repeat count', found[0])
    return { least, most, isCounted: true }
  }

  #atom(char: string): Expression | undefined {
    const start = this.#at++
    switch (char) {
      case '(':
        return this.#group(start)
      case '[':
        return this.#set(this.#class(start))
      case '.':
        return this.#set({ has: this.#flags.s ? () => true : (code) => code !== 10, cost: 1 })
      case '^':
        return { kind: 'assert', assertion: this.#flags.m ? 'begin line' : 'begin' }
      case '$':
        return { kind: 'assert', assertion: this.#flags.m ? 'end line' : 'end' }
      case '\\':
        return this.#escape(start)
      case '*':
      case '+':
      case '?':
      case '{':
        this.#at = start
        this.#refuseRepeat()
        this.#at++
        return this.#literal(char.codePointAt(0)!)
      default:
        return this.#literal(char.codePointAt(0)!)
    }
  }

  #set(set: CharSet): Expression {
    return { kind: 'set', set }
  }
  #literal(code: number): Expression {
    const codes = this.#flags.i ? foldsOf(code) : [code]
    return this.#set({ has: (one) => codes.includes(one), cost: 1 })
  }

  #group(start: number): Expression | undefined {
    const outer = this.#flags
    if (this.#peek() === '?') {
      const opened = this.#opening(start)
      if (opened === 'flags only') return undefined
    }
    const inner = this.#choice()
    if (this.#peek() !== ')') throw new PatternError('missing closing )', this.#text)
    this.#at++
    this.#flags = outer
    return inner
  }

  /** `?:`, `?P<name>`, `?i`, `?i-s:`; flags without a colon hold to the end of the group around them. */
  #opening(start: number): 'group' | 'flags only' {
    const rest = this.#chars.slice(this.#at, this.#at + 1000).join('')
    const named = /^\?P?<([^>]*)(>?)/.exec(rest)
    if (named !== null) {
      const shown = named[2] === '' ? this.#text.slice(this.#chars.slice(0, start).join('').length) : `(${named[0]}`
      if (named[2] === '' || !/^[A-Za-z0-9_]+$/.test(named[1]!)) throw new PatternError('invalid named capture', shown)
      this.#at += [...named[0]].length
      return 'group'
    }
    const flags = { ...this.#flags }
    let value = true
    let isEmpty = true
    this.#at++
    for (;;) {
      const char = this.#peek()
      if (char !== undefined) this.#at++
      if (char === 'i' || char === 'm' || char === 's') flags[char] = value
      else if (char === '-' && value) {
        value = false
        isEmpty = true
        continue
      } else if ((char === ':' || char === ')') && (value || !isEmpty)) {
        this.#flags = flags
        return char === ':' ? 'group' : 'flags only'
      } else if (char !== 'U') throw new PatternError('invalid or unsupported Perl syntax', this.#from(start))
      isEmpty = false
    }
  }

  /** `\Q...\E`: the text itself. */
  #quoted(): Expression[] {
    this.#at += 2
    const parts: Expression[] = []
    while (this.#peek() !== undefined && !this.#startsWith('\\E'))
      parts.push(this.#literal(this.#chars[this.#at++]!.codePointAt(0)!))
    if (this.#peek() !== undefined) this.#at += 2
    return parts
  }

  #escape(start: number): Expression {
    const char = this.#peek()
    if (char === undefined) throw new PatternError('trailing backslash at end of expression', '')
    const assertions: Readonly<Record<string, Assertion>> = { A: 'begin', z: 'end', b: 'boundary', B: 'no boundary' }
    if (assertions[char] !== undefined) {
      this.#at++
      return { kind: 'assert', assertion: assertions[char] }
    }
    const known = this.#escapedClass(start)
    return known === undefined ? this.#literal(this.#escapedCode(start)) : this.#set(known)
  }

  /** `\d`, `\pL`, `\P{Greek}`; the backslash has been read. */
  #escapedClass(start: number): CharSet | undefined {
    const char = this.#peek()!
    const perl = perlClass(char)
    if (perl !== undefined) {
      this.#at++
      return perl
    }
    if (char !== 'p' && char !== 'P') return undefined
    this.#at++
    let name = this.#peek() ?? ''
    this.#at++
    if (name === '{') {
      const end = this.#chars.indexOf('}', this.#at)
      if (end < 0) {
        this.#at = this.#chars.length
        throw new PatternError('invalid character class range', this.#from(start))
      }
      name = this.#chars.slice(this.#at, end).join('')
      this.#at = end + 1
    }
    const isNegated = (char === 'P') !== name.startsWith('^')
    const found = unicodeClass(name.replace(/^\^/, ''), isNegated, this.#flags.i)
    if (found === undefined) throw new PatternError('invalid character class range', this.#from(start))
    return found
  }

  /** One character; the backslash has been read. */
  #escapedCode(start: number): number {
    const char = this.#chars[this.#at++]
    const fail = () => new PatternError('invalid escape sequence', this.#from(start))
    if (char === undefined) throw new PatternError('trailing backslash at end of expression', '')
    const controls: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 }
    if (controls[char] !== undefined) return controls[char]
    const rest = this.#chars.slice(this.#at, this.#at + 12).join('')
    if (/[0-7]/.test(char)) {
      const more = /^[0-7]{0,2}/.exec(rest)![0]
      // A single digit would be a reference to a group.
      if (char !== '0' && more === '') throw fail()
      this.#at += more.length
      return Number.parseInt(char + more, 8)
    }
    if (char === 'x') {
      // As far as it could be one: a message shows so much.
      const hex = /^\{([0-9a-fA-F]*)[^]?|^([^]{0,2})/u.exec(rest)!
      this.#at += [...hex[0]].length
      const isWhole = hex[1] === undefined ? /^[0-9a-fA-F]{2}$/.test(hex[2]!) : hex[0].endsWith('}')
      const code = Number.parseInt(hex[1] ?? hex[2]!, 16)
      if (!isWhole || !(code <= 0x10ffff)) throw fail()
      return code
    }
    if (/^[!-/:-@[-`{-~]$/.test(char)) return char.codePointAt(0)!
    throw fail()
  }

  /** A bracketed class; its `[` has been read. */
  #class(start: number): CharSet {
    const isNegated = this.#peek() === '^'
    if (isNegated) this.#at++
    const sets: CharSet[] = []
    const ranges: number[] = []
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      if (this.#peek() === undefined) {
        this.#at = this.#chars.length
        throw new PatternError('missing closing ]', this.#from(start))
      }
      const set = this.#classItem()
      if (set !== undefined) sets.push(set)
      else this.#range(start, ranges)
    }
    this.#at++
    const set = unionOf([setOfRanges(ranges), ...sets], this.#flags.i)
    return isNegated ? complementOf(set) : set
  }

  #classItem(): CharSet | undefined {
    if (this.#startsWith('[:')) {
      const named = /^\[:([^:]*):\]/.exec(this.#chars.slice(this.#at, this.#at + 20).join(''))
      if (named !== null) {
        const found = namedClass(named[1]!)
        const start = this.#at
        this.#at += named[0].length
        if (found === undefined) throw new PatternError('invalid character class range', this.#from(start))
        return found
      }
    }
    if (this.#peek() !== '\\' || this.#peek(1) === undefined) return undefined
    const start = this.#at++
    const found = this.#escapedClass(start)
    if (found === undefined) this.#at = start
    return found
  }

  #range(start: number, ranges: number[]): void {
    const from = this.#at
    const low = this.#classCode(start)
    let high = low
    if (this.#peek() === '-' && this.#peek(1) !== undefined && this.#peek(1) !== ']') {
      this.#at++
      high = this.#classCode(start)
      if (high < low) throw new PatternError('invalid character class range', this.#from(from))
    }
    ranges.push(low, high)
  }

  #classCode(start: number): number {
    const at = this.#at
    const char = this.#chars[this.#at++]
    if (char === undefined) {
      this.#at = this.#chars.length
      throw new PatternError('missing closing ]', this.#from(start))
    }
    return char === '\\' ? this.#escapedCode(at) : char.codePointAt(0)!
  }
}

const timesOf = (parts: readonly Expression[]): number =>
  parts.reduce((most, part) => ('times' in part ? Math.max(most, part.times) : most), 1)
