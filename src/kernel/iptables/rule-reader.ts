// Reads the rules of a large table fast. Its rules say the same things again and again (`-m tcp --dport 80`, a comment for
// each Service), so a rule is cut into its matches and its target, and each text is parsed once and then shared.
import { parseRule } from '#kernel/iptables/parse-rule.ts'
import type { Match, Rule, Target, Test } from '#kernel/iptables/rule.ts'

/** Texts that are kept; a table of Services has far fewer that come again. */
const mostKept = 20_000
const commentHead = '-m comment --comment '

type Draft = { -readonly [K in keyof Rule]: Rule[K] } & { matches: Match[] }

export class RuleReader {
  readonly #isChain: (name: string) => boolean
  readonly #matches = new Map<string, Match>()
  readonly #targets = new Map<string, Target>()
  readonly #tests = new Map<string, Test>()

  constructor(isChain: (name: string) => boolean) {
    this.#isChain = isChain
  }

  /** The same as `parseRule` of the words behind `-A CHAIN`. */
  read(text: string): Rule | undefined {
    const rule: Draft = { matches: [] }
    for (let at = 0; at < text.length;) {
      const end = this.#readPart(text, at, rule)
      if (end < 0) return parseRule(text, this.#isChain)
      at = end + 1
    }
    return rule
  }

  /** Answers where the part ends; -1 where it is not a simple one. */
  #readPart(text: string, at: number, rule: Draft): number {
    if (text.charCodeAt(at) !== dash || text.charCodeAt(at + 2) !== blank) return -1
    const letter = text[at + 1]!
    if (letter === 'm') return this.#readMatch(text, at, rule)
    if (letter === 'j' || letter === 'g') return this.#readTarget(text, at, rule)
    const field = fields[letter]
    if (field === undefined) return -1
    const blankAt = text.indexOf(' ', at + 3)
    const end = blankAt < 0 ? text.length : blankAt
    rule[field] = this.#test(text.slice(at + 3, end))
    return end
  }

  #test(value: string): Test {
    const known = this.#tests.get(value)
    if (known !== undefined) return known
    const test = { value }
    keep(this.#tests, value, test)
    return test
  }

  #readMatch(text: string, at: number, rule: Draft): number {
    const end = text.startsWith(commentHead, at)
      ? endOfComment(text, at + commentHead.length)
      : endOfMatch(text, at + 3)
    if (end < 0) return -1
    const part = text.slice(at, end)
    let match = this.#matches.get(part)
    if (match === undefined) {
      match = parseRule(part, this.#isChain)?.matches[0]
      if (match === undefined) return -1
      keep(this.#matches, part, match)
    }
    rule.matches.push(match)
    return end
  }

  #readTarget(text: string, at: number, rule: Draft): number {
    const part = text.slice(at)
    let target = this.#targets.get(part)
    if (target === undefined) {
      target = parseRule(part, this.#isChain)?.target
      if (target === undefined) return -1
      keep(this.#targets, part, target)
    }
    rule.target = target
    return text.length
  }
}

const dash = 45
const blank = 32
const fields: Readonly<Record<string, 'source' | 'destination' | 'inInterface' | 'outInterface' | 'protocol'>> = {
  s: 'source',
  d: 'destination',
  i: 'inInterface',
  o: 'outInterface',
  p: 'protocol',
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= mostKept) map.clear()
  map.set(key, value)
}

/** Behind the closing quote, or the word; -1 where something else than a blank follows. */
function endOfComment(text: string, at: number): number {
  if (text[at] !== '"') {
    const end = text.indexOf(' ', at)
    return end < 0 ? text.length : end
  }
  const end = text.indexOf('"', at + 1)
  if (end < 0 || text.lastIndexOf('\\', end) > at) return -1
  return end + 1 === text.length || text.charCodeAt(end + 1) === blank ? end + 1 : -1
}

/** Where the next match or the target begins; -1 where quotes may hide that. */
function endOfMatch(text: string, from: number): number {
  let end = text.length
  for (let at = text.indexOf(' -', from); at >= 0; at = text.indexOf(' -', at + 2)) {
    const letter = text[at + 2]
    if ((letter === 'm' || letter === 'j' || letter === 'g') && text.charCodeAt(at + 3) === blank) {
      end = at
      break
    }
  }
  const quote = text.indexOf('"', from)
  return quote >= 0 && quote < end ? -1 : end
}
