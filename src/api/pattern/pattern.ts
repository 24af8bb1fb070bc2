// Whether a text matches a pattern, in time that grows with the length of the text only, whatever the pattern: the sets of
// steps in which the machine can be are made as they are met, and kept. A pattern comes from whoever may define a custom
// resource, and must not be able to stop the server (decision 015).

import { compile, type Program } from '#api/pattern/program.ts'
import { parsePattern, type Assertion } from '#api/pattern/syntax.ts'

/** How much may still be done; shared by all patterns of one question. */
export type Work = { left: number }

export type Pattern = {
  /** Whether it matches anywhere in the text; undefined where there was not enough time to tell. */
  test(text: string, work: Work): boolean | undefined
}

/** What stands on the left of a place in the text. */
type Before = 'nothing' | 'line end' | 'word' | 'other'
type State = {
  readonly steps: readonly number[]
  readonly before: Before
  /** where a character leads: the ASCII ones by code, others by map; null: it has matched */
  readonly ascii: (State | null | undefined)[]
  readonly others: Map<number, State | null>
  matchesAtEnd: boolean | undefined
}

/** So many steps in all states that are kept together. */
const mostKept = 200_000

/** Throws PatternError. */
export function createPattern(text: string): Pattern {
  const machine = new Machine(compile(parsePattern(text), text))
  return { test: (subject, work) => machine.test(subject, work) }
}

class Machine {
  readonly #program: Program
  readonly #seen: Uint32Array
  #states = new Map<string, State>()
  #kept = 0
  #generation = 0

  constructor(program: Program) {
    this.#program = program
    this.#seen = new Uint32Array(program.steps.length)
  }

  test(text: string, work: Work): boolean | undefined {
    let state = this.#state([this.#program.start], 'nothing')
    for (let at = 0; at < text.length; at++) {
      const code = text.codePointAt(at)!
      if (code > 0xffff) at++
      if (--work.left < 0) return undefined
      let next = code < 128 ? state.ascii[code] : state.others.get(code)
      if (next === undefined) {
        next = this.#advance(state, code, work)
        if (code < 128) state.ascii[code] = next
        else {
          state.others.set(code, next)
          this.#kept++
        }
      }
      if (next === null) return true
      state = next
    }
    return (state.matchesAtEnd ??= this.#reach(state, undefined, work) === undefined)
  }

  /** Null: a match ends before this character. */
  #advance(state: State, code: number, work: Work): State | null {
    const reached = this.#reach(state, code, work)
    if (reached === undefined) return null
    const { steps, start } = this.#program
    const next = new Set([start])
    for (const at of reached) {
      const step = steps[at]!
      if (step.kind !== 'set') continue
      work.left -= step.set.cost
      if (step.set.has(code)) next.add(step.next)
    }
    return this.#state(
      [...next].sort((a, b) => a - b),
      kindOf(code),
    )
  }

  /** The steps that wait for a character; undefined: a match ends here. */
  #reach({ steps: from, before }: State, code: number | undefined, work: Work): readonly number[] | undefined {
    const { steps } = this.#program
    const generation = ++this.#generation
    const waiting: number[] = []
    const stack = [...from]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (this.#seen[at] === generation) continue
      this.#seen[at] = generation
      work.left--
      const step = steps[at]!
      if (step.kind === 'match') return undefined
      if (step.kind === 'set') waiting.push(at)
      else if (step.kind === 'split') stack.push(step.next, step.other)
      else if (holds(step.assertion, before, code)) stack.push(step.next)
    }
    return waiting
  }

  #state(steps: readonly number[], before: Before): State {
    const key = `${before} ${steps.join(' ')}`
    const known = this.#states.get(key)
    if (known !== undefined) return known
    this.#kept += steps.length + 16
    // States that are still in use stay alive by themselves; the others are made again if need be.
    if (this.#kept > mostKept) {
      this.#states = new Map()
      this.#kept = steps.length
    }
    const made: State = { steps, before, ascii: [], others: new Map(), matchesAtEnd: undefined }
    this.#states.set(key, made)
    return made
  }
}

const isWord = (code: number) =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122)
const kindOf = (code: number): Before => (code === 10 ? 'line end' : isWord(code) ? 'word' : 'other')

function holds(assertion: Assertion, before: Before, code: number | undefined): boolean {
  const isBoundary = (before === 'word') !== (code !== undefined && isWord(code))
  switch (assertion) {
    case 'begin':
      return before === 'nothing'
    case 'end':
      return code === undefined
    case 'begin line':
      return before === 'nothing' || before === 'line end'
    case 'end line':
      return code === undefined || code === 10
    case 'boundary':
      return isBoundary
    case 'no boundary':
      return !isBoundary
  }
}
