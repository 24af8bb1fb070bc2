// How iptables-save quotes: a word of letters, digits, `-` and `_` stands bare where iptables prints it as a string,
// anything else in double quotes, with `"`, `\` and `'` behind a backslash.

const plain = /^[A-Za-z0-9_-]+$/

/** A string as iptables-save prints it (comments, names of sets); the empty string is `""`. */
export function quoteWord(text: string): string {
  return plain.test(text) ? text : `"${text.replaceAll(/["\\']/g, (sign) => `\\${sign}`)}"`
}

/** The words of a line: blanks part them, double quotes hold them together, a backslash inside quotes escapes. */
export function splitWords(line: string): string[] {
  if (!line.includes('"')) return line.split(' ').filter((word) => word !== '')
  const words: string[] = []
  let at = 0
  while (at < line.length) {
    if (line[at] === ' ') at++
    else if (line[at] === '"') {
      const { word, end } = quotedAt(line, at + 1)
      words.push(word)
      at = end
    } else {
      const blank = line.indexOf(' ', at)
      const end = blank < 0 ? line.length : blank
      words.push(line.slice(at, end))
      at = end
    }
  }
  return words
}

function quotedAt(line: string, start: number): { word: string; end: number } {
  let word = ''
  let at = start
  while (at < line.length && line[at] !== '"') {
    if (line[at] === '\\' && at + 1 < line.length) at++
    word += line[at++]
  }
  return { word, end: at + 1 }
}
