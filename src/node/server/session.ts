// What exec and attach are about, whatever the protocol that carries them: which streams are wanted, how it ended, and
// the sizes of a terminal.

import type { Streams, TerminalSize } from '#node/runtime.ts'

/** What the client asks of a session. */
export type Session = {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

export type Outcome =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'failed'; readonly message: string }

/** A client that is there, with its ends of the streams. */
export type Connected = {
  readonly streams: Streams
  /** aborted when the client has gone */
  readonly signal: AbortSignal
  /** Sends what is still on its way, then how it ended. */
  end(outcome: Outcome): Promise<void>
}

/** Reads the query of /exec and /attach. With a terminal there is no stderr. */
export const parseSession = (query: URLSearchParams): Session => {
  const isSet = (name: string) => ['1', 'true'].includes(query.get(name) ?? '')
  const tty = isSet('tty')
  return { stdin: isSet('input'), stdout: isSet('output'), stderr: isSet('error') && !tty, tty }
}

/** The Status that the error stream says at the end (v4 of the protocol and later). */
export function statusOf(outcome: Outcome): object {
  if (outcome.kind === 'failed')
    return { metadata: {}, status: 'Failure', message: outcome.message, reason: 'InternalError', code: 500 }
  if (outcome.exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: messageOf(outcome),
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(outcome.exitCode) }] },
  }
}

/** The same as the text of the protocols before v4; '' where it went well. */
export function messageOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') return outcome.message
  return outcome.exitCode === 0 ? '' : `command terminated with non-zero exit code: exit status ${outcome.exitCode}`
}

/** Reads `{"Width":80,"Height":24}`, in whatever case (as Go does); undefined where it is none. */
export function parseSize(text: string): TerminalSize | undefined {
  try {
    const fields = Object.entries(JSON.parse(text) as object).map(([name, value]) => [name.toLowerCase(), value])
    const { width, height } = Object.fromEntries(fields) as { width?: unknown; height?: unknown }
    return { width: Number(width) || 0, height: Number(height) || 0 }
  } catch {
    return undefined
  }
}

/** The newest size of a terminal, for whoever waits for it. */
export class Sizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined
  #isOver = false
  #wake = () => {}

  put(size: TerminalSize): void {
    this.#latest = size
    this.#wake()
  }
  end(): void {
    this.#isOver = true
    this.#wake()
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize> {
    while (!this.#isOver) {
      const size = this.#latest
      this.#latest = undefined
      if (size) yield size
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
