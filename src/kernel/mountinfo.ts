// /proc/PID/mountinfo, as proc(5) describes it.

export type Mount = {
  readonly id: number
  readonly parent: number
  /** Path inside the file system that is shown here: of a pinned namespace `net:[4026531840]`. */
  readonly root: string
  readonly target: string
  readonly options: readonly string[]
  /** `shared:N`, `master:N` ...; none for a private mount. */
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
}

export const parseMountinfo = (text: string): readonly Mount[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine)

function parseLine(line: string): Mount {
  const fields = line.split(' ')
  const separator = fields.indexOf('-', 6)
  return {
    id: Number(fields[0]),
    parent: Number(fields[1]),
    root: unescape(fields[3]!),
    target: unescape(fields[4]!),
    options: fields[5]!.split(','),
    propagation: fields.slice(6, separator),
    type: fields[separator + 1]!,
    source: unescape(fields[separator + 2] ?? ''),
  }
}

/** Space, tab, newline and backslash stand there as octal. */
const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)))
