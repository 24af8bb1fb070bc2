// The words of nft's text. A comma belongs to a word that goes on behind it (`established,related`); braces, semicolons and
// line ends stand alone.

export type Token = {
  readonly text: string
  readonly line: number
  /** it stood in quotes */
  readonly quoted: boolean
}

export const lineEnd = '\n'

/** Comments (`# handle 5`) are left out. */
export function lex(text: string): Token[] {
  const tokens: Token[] = []
  let line = 1
  const pattern = /"((?:[^"\\]|\\.)*)"|#[^\n]*|\n|[{};()]|,(?=\s|$|\})|[^\s{};()",]+(?:,(?=[^\s}])[^\s{};()",]+)*|[",]/g
  for (const [whole, quoted] of text.matchAll(pattern)) {
    if (whole === lineEnd) {
      tokens.push({ text: lineEnd, line, quoted: false })
      line++
    } else if (quoted !== undefined) {
      tokens.push({ text: quoted, line, quoted: true })
      for (let at = quoted.indexOf('\n'); at >= 0; at = quoted.indexOf('\n', at + 1)) line++
    } else if (!whole.startsWith('#')) tokens.push({ text: whole, line, quoted: false })
  }
  return tokens
}

/** Reads tokens one after the other. */
export class Tokens {
  readonly #tokens: readonly Token[]
  #at = 0
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get position(): number {
    return this.#at
  }
  set position(at: number) {
    this.#at = at
  }
  get line(): number {
    return (this.#tokens[this.#at] ?? this.#tokens.at(-1))?.line ?? 1
  }
  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** The next word without taking it; '' at the end. Quoted words are never taken for others. */
  peek(ahead = 0): string {
    const token = this.#tokens[this.#at + ahead]
    return token === undefined ? '' : token.quoted ? `"${token.text}"` : token.text
  }
  token(): Token | undefined {
    return this.#tokens[this.#at]
  }
  next(): Token {
    return this.#tokens[this.#at++] ?? { text: '', line: this.line, quoted: false }
  }
  /** Takes the next word if it is this one. */
  take(text: string): boolean {
    if (this.peek() !== text) return false
    this.#at++
    return true
  }
  skipLines(): void {
    while (this.peek() === lineEnd || this.peek() === ';') this.#at++
  }
  skipSpace(): void {
    while (this.peek() === lineEnd) this.#at++
  }
  /** The words up to the end of the line, as they stood. */
  restOfLine(): string {
    const words: string[] = []
    for (let text = this.peek(); text !== '' && text !== lineEnd && text !== ';' && text !== '}'; text = this.peek()) {
      words.push(text)
      this.#at++
    }
    return words.join(' ')
  }
}
