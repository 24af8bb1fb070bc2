// Where a decoder is, and what it has found wrong so far.

import { quote } from '#api/go-text.ts'

/** More than these are not worth reading, nor remembering. */
const mostProblems = 100

/** The state of decoding one body. The first failure ends it; problems are counted and the rest goes on. */
export class DecodeContext {
  /** field names and list indices from the root */
  readonly path: (string | number)[] = []
  /** Go names of the structs around the value, innermost last */
  readonly structs: string[] = []
  /** unknown fields, in the order found */
  readonly problems: string[] = []
  failure: string | undefined

  fail(message: string): undefined {
    this.failure ??= message
  }

  /** `found`: what stands there ('string', 'number 1.5'); `wanted`: the Go type. */
  mismatch(found: string, wanted: string): undefined {
    const fields = this.path.filter((part) => typeof part === 'string')
    const struct = this.structs.at(-1)
    const where =
      struct === undefined || fields.length === 0 ? 'Go value' : `Go struct field ${struct}.${fields.join('.')}`
    return this.fail(`json: cannot unmarshal ${found} into ${where} of type ${wanted}`)
  }

  unknownField(name: string): void {
    if (this.problems.length < mostProblems)
      this.problems.push(`unknown field ${quote(formatPath([...this.path, name]))}`)
  }
}

/** `spec.ports[0].name` */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`
  return text
}

/** What Go's decoder calls a JSON value. */
export function kindOfJson(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
