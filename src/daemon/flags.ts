// Command lines from a table of flags: the table gives the options their types, reads the words, and writes the help.
//
//   const flags = { nodes: number({ help: 'how many nodes', default: 3, min: 1, max: 10 }), noHeader: toggle({ ... }) }
//   parseFlags(flags, ['--nodes', '5', 'up'])   // { options: { nodes: 5, noHeader: false }, rest: ['up'] }
//
// A flag is camelCase in the table and kebab-case on the command line; `--name value` and `--name=value` mean the same,
// `--no-name` turns a toggle off, and all that follows `--` is left alone.

import { UserError } from '#daemon/error.ts'
import { parseDuration } from '#lib/duration.ts'
import { nearest } from '#lib/nearest.ts'

export type Flag<T> = {
  readonly help: string
  /** what the help shows for the value; undefined: the flag takes none */
  readonly placeholder: string | undefined
  /** a single letter: '-f' */
  readonly short: string | undefined
  /** where the flag is not given, the value of this environment variable is */
  readonly env: string | undefined
  /** what stands without the flag; undefined where it must be given */
  readonly initial: { readonly value: T } | undefined
  /** how the help shows `initial`; undefined: not at all */
  readonly initialText: string | undefined
  /** the values there are, where they are few */
  readonly values?: readonly string[]
  /** may be given several times: values are appended to those before */
  readonly repeatable: boolean
  /** Reads a value; a text instead of a value says what is wrong with it. */
  parse(text: string, before: T | undefined): { readonly value: T } | string
}
export type Flags = Readonly<Record<string, Flag<unknown>>>
export type OptionsOf<F> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

type Base = { readonly help: string; readonly placeholder?: string; readonly short?: string; readonly env?: string }
type Required = Base & { readonly required: true }
type WithDefault<T> = Base & { readonly default: T }

export function text(o: Required | WithDefault<string>): Flag<string>
export function text(o: Base): Flag<string | undefined>
export function text(o: Base & { readonly default?: string; readonly required?: true }): Flag<string | undefined> {
  return flag(o, 'TEXT', (value) => ({ value }))
}

type Bounds = { readonly min?: number; readonly max?: number }
export function number(o: (Required | WithDefault<number>) & Bounds): Flag<number>
export function number(o: Base & Bounds): Flag<number | undefined>
export function number(
  o: Base & Bounds & { readonly default?: number; readonly required?: true },
): Flag<number | undefined> {
  const { min = -Infinity, max = Infinity } = o
  return flag<number | undefined>(o, 'N', (word) => {
    const value = /^[+-]?\d+(\.\d+)?$/.test(word) ? Number(word) : NaN
    if (value >= min && value <= max) return { value }
    if (min === -Infinity && max === Infinity) return 'must be a number'
    return max === Infinity ? `must be a number, at least ${min}` : `must be a number from ${min} to ${max}`
  })
}

/** Off unless its default is true, which `--no-NAME` turns off. */
export function toggle(o: Omit<Base, 'placeholder'> & { readonly default?: boolean }): Flag<boolean> {
  const initial = o.default ?? false
  const made = flag<boolean>({ ...o, default: initial }, '', (word) =>
    word === 'true' || word === 'false' ? { value: word === 'true' } : 'must be true or false',
  )
  return { ...made, placeholder: undefined, initialText: undefined }
}

export function choice<const T extends string>(values: readonly T[], o: Required | WithDefault<NoInfer<T>>): Flag<T>
export function choice<const T extends string>(values: readonly T[], o: Base): Flag<T | undefined>
export function choice<const T extends string>(
  values: readonly T[],
  o: Base & { readonly default?: T; readonly required?: true },
): Flag<T | undefined> {
  const made = flag<T | undefined>({ placeholder: values.join('|'), ...o }, '', (word) => {
    const value = values.find((known) => known === word)
    return value === undefined ? `must be one of ${values.join(', ')}` : { value }
  })
  return { ...made, values }
}

/** A value given several times, or once with commas: `--label a=1,b=2 --label c=3`. */
export function list(
  o: Base & { readonly default?: readonly string[]; readonly split?: boolean },
): Flag<readonly string[]> {
  const made = flag<readonly string[]>({ default: [], ...o }, 'TEXT', (word, before = []) => ({
    value: [...before, ...(o.split === false ? [word] : word.split(',').filter((part) => part !== ''))],
  }))
  const initialText = o.default === undefined || o.default.length === 0 ? undefined : o.default.join(',')
  return { ...made, repeatable: true, initialText }
}

/** A duration in Go's form; the option is in milliseconds. */
export function duration(o: (Base & { readonly required: true }) | WithDefault<string>): Flag<number>
export function duration(o: Base): Flag<number | undefined>
export function duration(o: Base & { readonly default?: string; readonly required?: true }): Flag<number | undefined> {
  const { default: initial, ...rest } = o
  const made = flag<number | undefined>(
    { ...rest, ...(initial !== undefined && { default: parseDuration(initial) }) },
    'DURATION',
    (word) => {
      const value = parseDuration(word)
      return value === undefined || value < 0 ? 'must be a duration such as 30s, 1m30s or 250ms' : { value }
    },
  )
  return { ...made, initialText: initial }
}

export type Address = { readonly host: string; readonly port: number }

/** `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; `0` or the empty text turns the listener off (undefined). */
export function address(o: Base & { readonly default?: string }): Flag<Address | undefined> {
  const { default: initial = '', ...rest } = o
  const made = flag<Address | undefined>({ ...rest, default: parseAddress(initial) }, 'ADDRESS', (word) => {
    const value = parseAddress(word)
    const off = word === '' || word === '0'
    return value === undefined && !off ? 'must be HOST:PORT, or 0 to turn it off' : { value }
  })
  return { ...made, initialText: initial }
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match === null || port > 65535 ? undefined : { host: match[1] ?? (match[2] || '0.0.0.0'), port }
}

type Given<T> = Base & { readonly default?: T; readonly required?: true }

function flag<T>(o: Given<T>, placeholder: string, parse: Flag<T>['parse']): Flag<T> {
  return {
    help: o.help,
    placeholder: o.placeholder ?? placeholder,
    short: o.short,
    env: o.env,
    initial: o.required ? undefined : { value: o.default as T },
    initialText: o.default === undefined ? undefined : String(o.default),
    repeatable: false,
    parse,
  }
}

export const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Reads the words behind a command's name. Throws UserError that names the flag and, where one is near, the right one. */
export function parseFlags<F extends Flags>(
  flags: F,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): { readonly options: OptionsOf<F>; readonly rest: string[]; readonly given: ReadonlySet<string> } {
  const given = new Map<string, unknown>()
  const rest: string[] = []
  const take = (key: string, shown: string, value: string, from = '') => {
    const result = flags[key]!.parse(value, given.get(key))
    if (typeof result === 'string')
      throw new UserError(`${from}${shown}: ${result}, not "${value}"`, { code: 'BadFlag', exitCode: 2 })
    given.set(key, result.value)
  }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word === '--') {
      rest.push(...words.slice(i + 1))
      break
    }
    if (!/^-[^\d]/.test(word)) {
      rest.push(word)
      continue
    }
    const { key, shown, value } = find(flags, word)
    if (value !== undefined) take(key, shown, value)
    else if (flags[key]!.placeholder === undefined) take(key, shown, 'true')
    else {
      const next = words[++i]
      if (next === undefined)
        throw new UserError(`${shown} needs a value: ${shown} ${flags[key]!.placeholder}`, {
          code: 'BadFlag',
          exitCode: 2,
        })
      take(key, shown, next)
    }
  }
  const said = new Set(given.keys())
  for (const [key, { initial, env: variable }] of Object.entries(flags)) {
    if (given.has(key)) continue
    // Manifests often have a variable that says nothing.
    const fromEnv = (variable !== undefined && env[variable]) || undefined
    if (fromEnv !== undefined) {
      take(key, `--${kebab(key)}`, fromEnv, `${variable}: `)
      said.add(key)
    } else if (initial !== undefined) given.set(key, initial.value)
    else throw new UserError(`--${kebab(key)} is missing: ${flags[key]!.help}`, { code: 'MissingFlag', exitCode: 2 })
  }
  return { options: Object.fromEntries(given) as OptionsOf<F>, rest, given: said }
}

/** Which flag a word means, and the value that stands in the same word. */
function find(flags: Flags, word: string): { readonly key: string; readonly shown: string; readonly value?: string } {
  const equals = word.indexOf('=')
  const shown = equals === -1 ? word : word.slice(0, equals)
  const value = equals === -1 ? {} : { value: word.slice(equals + 1) }
  const entries = Object.entries(flags)
  if (!shown.startsWith('--')) {
    const key = entries.find(([, { short }]) => short === shown[1])?.[0]
    if (key !== undefined && shown.length === 2) return { key, shown, ...value }
    // -v4, -fFILE
    if (key !== undefined && flags[key]!.placeholder !== undefined)
      return { key, shown: shown.slice(0, 2), value: word.slice(2) }
    throw unknown(flags, shown)
  }
  const name = shown.slice(2)
  const key = entries.find(([key]) => kebab(key) === name)?.[0]
  if (key !== undefined) return { key, shown, ...value }
  const off = entries.find(([key, { placeholder }]) => placeholder === undefined && `no-${kebab(key)}` === name)?.[0]
  if (off !== undefined && equals === -1) return { key: off, shown, value: 'false' }
  throw unknown(flags, shown)
}

function unknown(flags: Flags, shown: string): UserError {
  const names = Object.keys(flags).map(kebab)
  const near = nearest(shown.replace(/^--?/, ''), [...names, 'help'])
  return new UserError(`unknown flag ${shown}`, {
    code: 'UnknownFlag',
    exitCode: 2,
    remedy: near === undefined ? 'see --help for the flags there are' : `did you mean --${near}?`,
  })
}

/** The lines of a help text about these flags. */
export function renderFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([key, flag]) => {
    const isOnByDefault = flag.placeholder === undefined && flag.initial?.value === true
    const long = `--${isOnByDefault ? 'no-' : ''}${kebab(key)}${flag.placeholder === undefined ? '' : ` ${flag.placeholder}`}`
    const left = flag.short === undefined ? `    ${long}` : `-${flag.short}, ${long}`
    const notes = [
      ...(flag.initial === undefined ? ['required'] : []),
      ...(flag.initialText === undefined ? [] : [`default ${flag.initialText === '' ? '""' : flag.initialText}`]),
      ...(flag.repeatable ? ['repeatable'] : []),
      ...(flag.env === undefined ? [] : [`or $${flag.env}`]),
    ]
    return { left, right: `${flag.help}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}` }
  })
  const width = Math.min(Math.max(0, ...rows.map(({ left }) => left.length)), 36)
  const gap = `\n  ${' '.repeat(width)}  `
  return rows
    .map(({ left, right }) => {
      const lines = wrap(right, 116 - width).join(gap)
      return left.length > width ? `  ${left}${gap}${lines}\n` : `  ${left.padEnd(width)}  ${lines}\n`
    })
    .join('')
}

/** Lines of whole words, of so many letters at most where the words allow it. */
function wrap(text: string, most: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > most) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
