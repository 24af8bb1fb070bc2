// A pattern as a program for a machine that is in many of its steps at once: each reads one character, goes on in two
// places, or asks where in the text it stands.

import { PatternError, type Assertion, type Expression } from '#api/pattern/syntax.ts'
import type { CharSet } from '#api/pattern/char-set.ts'

export type Step =
  | { readonly kind: 'set'; readonly set: CharSet; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'assert'; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: 'match' }
export type Program = { readonly steps: readonly Step[]; readonly start: number }

/** Beyond this many steps a text would take too long. */
const mostSteps = 20_000

/** Throws PatternError where it is too large. */
export function compile(expression: Expression, text: string): Program {
  const steps: Step[] = [{ kind: 'match' }]
  const add = (step: Step): number => {
    if (steps.length >= mostSteps) throw new PatternError('expression too large', text)
    return steps.push(step) - 1
  }
  // From the end to the beginning: each part is told where to go on.
  const build = (part: Expression, next: number): number => {
    switch (part.kind) {
      case 'set':
        return add({ kind: 'set', set: part.set, next })
      case 'assert':
        return add({ kind: 'assert', assertion: part.assertion, next })
      case 'sequence':
        return part.parts.reduceRight((after, one) => build(one, after), next)
      case 'choice':
        return part.choices
          .map((one) => build(one, next))
          .reduceRight((other, first) => add({ kind: 'split', next: first, other }))
      case 'repeat':
        return repeat(part, next)
    }
  }
  const repeat = ({ what, least, most }: Extract<Expression, { kind: 'repeat' }>, end: number): number => {
    let next = end
    if (most === Infinity) {
      const loop = add({ kind: 'split', next: end, other: end })
      steps[loop] = { kind: 'split', next: build(what, loop), other: end }
      next = loop
    } else for (let n = least; n < most; n++) next = add({ kind: 'split', next: build(what, next), other: end })
    for (let n = 0; n < least; n++) next = build(what, next)
    return next
  }
  return { start: build(expression, 0), steps }
}
