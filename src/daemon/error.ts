/**
 * What went wrong in words for the person who typed the command: one clear message that names what to do about it.
 * Printed as `fairway: MESSAGE` and, below it, the remedy; the process then exits with `exitCode`.
 */
export class UserError extends Error {
  /** a literal for tests and programs: 'UnknownFlag', 'PortTaken' ... */
  readonly code: string
  readonly remedy: string | undefined
  readonly exitCode: number

  constructor(
    message: string,
    options: {
      readonly code?: string
      readonly remedy?: string | undefined
      readonly exitCode?: number
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UserError'
    this.code = options.code ?? 'UserError'
    this.remedy = options.remedy
    this.exitCode = options.exitCode ?? 1
  }
}

/** The message of anything thrown, with the messages of its causes: `list pods: connect ECONNREFUSED 10.0.0.1:443`. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A failed connection to a name with several addresses is an AggregateError, whose own message is empty.
  const inner = error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : ''
  const own = error.message === '' ? inner || error.name : error.message
  if (error.cause === undefined) return own
  const cause = messageOf(error.cause)
  return own.includes(cause) ? own : `${own}: ${cause}`
}
