// One line of a container's log, in the form that CRI runtimes write: `TIME stdout|stderr F|P TEXT`. P marks a part of a
// longer line, F its last part.

export type LogLine = {
  /** RFC 3339 with nanoseconds, as it stands in the file */
  readonly time: string
  readonly stream: 'stdout' | 'stderr'
  readonly isPartial: boolean
  readonly text: Uint8Array
}

const space = 0x20
const latin1 = new TextDecoder('latin1')

/** Parses one line without its newline; undefined where it is none that a runtime writes. */
export function parseLogLine(line: Uint8Array): LogLine | undefined {
  const first = line.indexOf(space)
  const second = line.indexOf(space, first + 1)
  const third = line.indexOf(space, second + 1)
  const tagsEnd = third < 0 ? line.length : third
  if (first < 0 || second < 0) return undefined
  const stream = latin1.decode(line.subarray(first + 1, second))
  if (stream !== 'stdout' && stream !== 'stderr') return undefined
  const tags = latin1.decode(line.subarray(second + 1, tagsEnd)).split(':')
  return {
    time: latin1.decode(line.subarray(0, first)),
    stream,
    isPartial: tags[0] === 'P',
    text: line.subarray(Math.min(tagsEnd + 1, line.length)),
  }
}

/** The time of a line in nanoseconds since the epoch; undefined where it is none. */
export function logTimeNs(time: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time)
  if (!match) return undefined
  const seconds = Date.parse(match[1]! + match[3]!)
  return Number.isNaN(seconds) ? undefined : BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
}
