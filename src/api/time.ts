// The two time formats of the API.

import { quote } from '#api/go-text.ts'
import { ok, type Result, wrong } from '#api/result.ts'

/** `Time`: RFC 3339 in UTC with whole seconds. */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1000)
  // Most ask for the second that it is now.
  if (second !== last.second) last = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` }
  return last.text
}
let last = { second: Number.NaN, text: '' }

/** `MicroTime`: RFC 3339 in UTC with microseconds. */
export function formatMicroTime(ms: number): string {
  const micros = Math.floor((ms - Math.floor(ms)) * 1000)
  return `${new Date(ms).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`
}

/** Any RFC 3339 text as a `Time`: in UTC, without what is less than a second. Messages are those of Go's time.Parse. */
export function parseTime(text: string): Result<string> {
  return parse(text, false)
}

/** The same as a `MicroTime`, which must have six decimal places. */
export function parseMicroTime(text: string): Result<string> {
  return parse(text, true)
}

const parts = ['2006', '-', '01', '-', '02', 'T', '15', ':', '04', ':', '05']
const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([.,]\d+)?(?:Z|([+-])(\d\d):(\d\d))$/

function parse(text: string, isMicro: boolean): Result<string> {
  const match = form.exec(text)
  if (match === null || (isMicro && match[7]?.length !== 7)) return wrong(complain(text, isMicro))
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const outside = outOfRange(year, month, day, hour, minute, second)
  if (outside !== undefined) return wrong(`parsing time ${quote(text)}: ${outside} out of range`)
  const ahead = (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * (match[8] === '-' ? -1 : 1)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute - ahead, second)
  const whole = date.toISOString().slice(0, -5)
  // Years before 0 and after 9999 have other forms, which no Time can hold.
  if (whole.length !== 19) return wrong(`parsing time ${quote(text)}: year out of range`)
  return ok(isMicro ? `${whole}.${match[7]!.slice(1)}Z` : `${whole}Z`)
}

function outOfRange(year: number, month: number, day: number, hour: number, minute: number, second: number) {
  if (month < 1 || month > 12) return 'month'
  if (hour > 23) return 'hour'
  if (minute > 59) return 'minute'
  if (second > 59) return 'second'
  return day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate() ? 'day' : undefined
}

/** Names the first part of the layout that the text does not follow. */
function complain(text: string, isMicro: boolean): string {
  const layout = `2006-01-02T15:04:05${isMicro ? '.000000' : ''}Z07:00`
  const cannot = (rest: string, part: string) =>
    `parsing time ${quote(text)} as ${quote(layout)}: cannot parse ${quote(rest)} as ${quote(part)}`
  let at = 0
  for (const part of parts) {
    const piece = text.slice(at, at + part.length)
    const isNumber = /\d/.test(part)
    if (isNumber ? piece.length < part.length || /\D/.test(piece) : piece !== part) return cannot(text.slice(at), part)
    at += part.length
  }
  const fraction = (isMicro ? /^\.\d{6}/ : /^(?:[.,]\d+)?/).exec(text.slice(at))
  if (fraction === null) return cannot(text.slice(at), '.000000')
  at += fraction[0].length
  const zone = /^(?:Z|[+-]\d\d:\d\d)/.exec(text.slice(at))
  if (zone === null) return cannot(text.slice(at), 'Z07:00')
  return `parsing time ${quote(text)}: extra text: ${quote(text.slice(at + zone[0].length))}`
}
