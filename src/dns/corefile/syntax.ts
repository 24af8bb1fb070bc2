// The syntax of a Corefile (Caddyfile): server blocks that name zones, directives inside them, options inside those.

/** Where the text is wrong, and why. Lines count from 1. */
export type CorefileError = { readonly line: number; readonly message: string }

export type Directive = {
  readonly name: string
  readonly args: readonly string[]
  readonly line: number
  readonly options: readonly Directive[]
}

export type ServerBlock = {
  /** as written: `.:53`, `example.org`, `dns://.:1053` */
  readonly addresses: readonly string[]
  readonly line: number
  readonly directives: readonly Directive[]
}

type Token = { readonly text: string; readonly line: number; readonly quoted: boolean }

/** Reads server blocks. `environment` fills `{$NAME}` and `{%NAME%}`. */
export function parseCorefile(
  text: string,
  environment: Readonly<Record<string, string>> = {},
): { readonly blocks: readonly ServerBlock[] } | { readonly error: CorefileError } {
  const tokens = readTokens(text, environment)
  if ('error' in tokens) return tokens
  const blocks: ServerBlock[] = []
  const lines = linesOf(tokens.tokens)
  let at = 0
  while (at < lines.length) {
    const opened = openingAt(lines, at)
    if (opened === undefined) {
      const [first] = lines[at]!
      return { error: { line: first!.line, message: `expected "{" after ${JSON.stringify(first!.text)}` } }
    }
    const addresses = opened.head.flatMap((token) => token.text.split(',')).filter((address) => address !== '')
    const line = opened.head[0]?.line ?? lines[at]![0]!.line
    if (addresses.length === 0) return { error: { line, message: 'a server block names no zone, as in ".:53 {"' } }
    const body = readBody(lines, opened.next, line)
    if ('error' in body) return body
    blocks.push({ addresses, line, directives: body.directives })
    at = body.next
  }
  return blocks.length === 0 ? { error: { line: 1, message: 'no server block' } } : { blocks }
}

type Line = readonly Token[]

/** The words before a `{`, which may stand on the following lines too, and the line behind it. */
function openingAt(
  lines: readonly Line[],
  start: number,
): { readonly head: Token[]; readonly next: number } | undefined {
  const head: Token[] = []
  for (let at = start; at < lines.length; at++) {
    const line = lines[at]!
    const last = line.at(-1)!
    if (isBrace(last, '{')) return { head: [...head, ...line.slice(0, -1)], next: at + 1 }
    if (line.some((token) => isBrace(token, '}'))) return undefined
    head.push(...line)
  }
  return undefined
}

function readBody(
  lines: readonly Line[],
  start: number,
  openLine: number,
): { readonly directives: Directive[]; readonly next: number } | { readonly error: CorefileError } {
  const directives: Directive[] = []
  for (let at = start; at < lines.length; at++) {
    const line = lines[at]!
    const [first, ...rest] = line
    if (isBrace(first!, '}')) {
      if (rest.length > 0) return { error: { line: first!.line, message: 'nothing may follow "}" on its line' } }
      return { directives, next: at + 1 }
    }
    const opens = isBrace(line.at(-1)!, '{')
    const words = (opens ? rest.slice(0, -1) : rest).map((token) => token.text)
    if (isBrace(first!, '{')) return { error: { line: first!.line, message: '"{" without a name before it' } }
    const directive = { name: first!.text, args: words, line: first!.line }
    if (!opens) {
      directives.push({ ...directive, options: [] })
      continue
    }
    const inner = readBody(lines, at + 1, first!.line)
    if ('error' in inner) return inner
    directives.push({ ...directive, options: inner.directives })
    at = inner.next - 1
  }
  return { error: { line: openLine, message: 'this block is never closed with "}"' } }
}

const isBrace = (token: Token, brace: '{' | '}') => !token.quoted && token.text === brace

function linesOf(tokens: readonly Token[]): Line[] {
  const lines: Token[][] = []
  for (const token of tokens) {
    const last = lines.at(-1)
    if (last !== undefined && last[0]!.line === token.line) last.push(token)
    else lines.push([token])
  }
  return lines
}

function readTokens(
  text: string,
  environment: Readonly<Record<string, string>>,
): { readonly tokens: Token[] } | { readonly error: CorefileError } {
  const tokens: Token[] = []
  let line = 1
  // A quoted word keeps its line breaks; a comment starts a word and ends with its line.
  const word = /"((?:[^"\\]|\\.)*)"|(")|#[^\n]*|\n|[^\s"]\S*/g
  for (const match of text.matchAll(word)) {
    const [whole, quoted, unclosed] = match
    if (unclosed !== undefined) return { error: { line, message: 'a quoted word is never closed' } }
    if (whole === '\n') line++
    else if (quoted !== undefined) {
      tokens.push({ text: fill(quoted.replaceAll(/\\(["\\])/g, '$1'), environment), line, quoted: true })
      line += quoted.split('\n').length - 1
    } else if (!whole.startsWith('#')) tokens.push({ text: fill(whole, environment), line, quoted: false })
  }
  return { tokens }
}

function fill(word: string, environment: Readonly<Record<string, string>>): string {
  return word.replaceAll(
    /\{\$(\w+)\}|\{%(\w+)%\}/g,
    (_, dollar: string, percent: string) => environment[dollar ?? percent] ?? '',
  )
}
