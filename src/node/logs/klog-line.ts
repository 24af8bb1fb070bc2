// A line of a part's own log, in klog's form, seen as a line of a container's log: `I1027 22:14:53.998163 ...` has month,
// day and local time, but neither year nor zone.

import type { LogLine } from '#node/logs/line.ts'

const decoder = new TextDecoder('latin1')
const header = /^[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})/

/** Reads lines of a file one after the other: one without a header belongs to the time of the line before it. */
export function klogParser(now: () => number): (line: Uint8Array) => LogLine {
  let time = formatTime(now(), 0)
  return (line) => {
    const match = header.exec(decoder.decode(line.subarray(0, 30)))
    if (match) time = timeOf(match, now())
    return { time, stream: 'stderr', isPartial: false, text: line }
  }
}

function timeOf(match: RegExpExecArray, nowMs: number): string {
  const [month, day, hours, minutes, seconds, micros] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const year = new Date(nowMs).getFullYear()
  const at = (inYear: number) => new Date(inYear, month - 1, day, hours, minutes, seconds).getTime()
  // A log of last December is read in January.
  const ms = at(year) > nowMs + 86_400_000 ? at(year - 1) : at(year)
  return formatTime(ms, micros)
}

const formatTime = (ms: number, micros: number) =>
  `${new Date(ms).toISOString().slice(0, 19)}.${String(micros).padStart(6, '0')}000Z`
