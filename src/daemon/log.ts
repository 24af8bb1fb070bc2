// effect: the caller's place in the stack, the process id
// Logs in Kubernetes' own text form (klog), or as JSON lines. What is said is the caller's; this file only writes it.
import type { Clock } from '#daemon/clock.ts'
import { systemClock } from '#daemon/clock.ts'

/** Values that go with a message; undefined ones are left out. */
export type Fields = Readonly<Record<string, unknown>>

export interface Logger {
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** Written from level 2 on (`--v 2`); `at` raises the level that this line needs. */
  debug(message: string, fields?: Fields, at?: number): void
  /** A logger that adds these fields to every line. */
  with(fields: Fields): Logger
  readonly level: number
}

export type LogOptions = {
  readonly format: 'text' | 'json'
  /** klog's verbosity: debug lines are written when it is at least theirs */
  readonly level: number
  /** Takes one line, ending included. */
  write(line: string): void
  readonly clock?: Clock
}
type Severity = 'I' | 'W' | 'E'
type Line = { readonly severity: Severity; readonly message: string; readonly fields: Fields; readonly place: string }

const pid = String(process.pid).padStart(7)
const words: Record<Severity, string> = { I: 'info', W: 'warning', E: 'error' }

export function createLogger(options: LogOptions): Logger {
  return loggerWith(options, options.clock ?? systemClock, {})
}

/** A logger that says nothing, for tests. */
export const silentLog: Logger = createLogger({ format: 'text', level: -1, write: () => undefined })

function loggerWith(options: LogOptions, clock: Clock, always: Fields): Logger {
  const write = (severity: Severity, message: string, fields: Fields | undefined, caller: Caller) => {
    const line = { severity, message, fields: { ...always, ...fields }, place: placeOf(caller) }
    options.write(options.format === 'json' ? jsonLine(line, clock.now()) : textLine(line, clock.now()))
  }
  const logger: Logger = {
    level: options.level,
    info: (message, fields) => write('I', message, fields, logger.info),
    warn: (message, fields) => write('W', message, fields, logger.warn),
    error: (message, fields) => write('E', message, fields, logger.error),
    debug(message, fields, at = 2) {
      if (options.level >= at) write('I', message, fields, logger.debug)
    },
    with: (fields) => loggerWith(options, clock, { ...always, ...fields }),
  }
  return logger
}

/** `I1027 22:14:53.998163    5063 proxier.go:294] message key="value"` */
function textLine({ severity, message, fields, place }: Line, nowMs: number): string {
  return `${severity}${formatHeaderTime(nowMs)} ${pid} ${place}] ${renderMessage(message, fields)}\n`
}

function jsonLine({ severity, message, fields, place }: Line, nowMs: number): string {
  const values = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonValue(value)]))
  return `${JSON.stringify({ ts: nowMs, level: words[severity], caller: place, msg: message, ...values })}\n`
}

/** Local time, as klog writes it: `1027 22:14:53.998163`. */
function formatHeaderTime(nowMs: number): string {
  const whole = Math.floor(nowMs)
  const date = new Date(whole)
  const two = (n: number) => String(n).padStart(2, '0')
  const micros = (whole % 1000) * 1000 + Math.floor((nowMs - whole) * 1000)
  return (
    `${two(date.getMonth() + 1)}${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(micros).padStart(6, '0')}`
  )
}

/**
 * A message without fields stands as it is; with fields it is quoted and they follow, as klog's structured lines:
 * strings quoted, numbers and booleans bare, lists as `["a","b"]`, objects of Kubernetes as "namespace/name".
 */
function renderMessage(message: string, fields: Fields): string {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  if (entries.length === 0) return message
  return `${JSON.stringify(message)} ${entries.map(([key, value]) => `${key}=${textValue(value)}`).join(' ')}`
}

function textValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return JSON.stringify(value) ?? String(value)
}

const jsonValue = (value: unknown) => (value instanceof Error ? value.message : value)

type Caller = (...of: never[]) => void

/** `file.ts:LINE` of whoever called `caller`: one frame of the stack, so that a line costs a few microseconds. */
function placeOf(caller: Caller): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 1
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, caller)
  Error.stackTraceLimit = limit
  const match = /([^/\\(]+):(\d+):\d+\)?$/.exec(holder.stack ?? '')
  return match === null ? '???:1' : `${match[1]}:${match[2]}`
}
