// The frames of exec and attach over WebSocket (subprotocols v4 and v5.channel.k8s.io): the first byte of a message names
// a channel, the rest is its data.

import type { TerminalSize } from '#node/runtime.ts'
import { parseSize, statusOf, type Outcome } from '#node/server/session.ts'

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const
export const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

export type Frame =
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly size: TerminalSize }
  /** the client has no more input (v5) */
  | { readonly kind: 'endOfStdin' }

/** undefined for what means nothing here. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const data = bytes.subarray(1)
  if (bytes[0] === channel.stdin) return { kind: 'stdin', data }
  if (bytes[0] === channel.close) return data[0] === channel.stdin ? { kind: 'endOfStdin' } : undefined
  if (bytes[0] !== channel.resize) return undefined
  const size = parseSize(new TextDecoder().decode(data))
  return size && { kind: 'resize', size }
}

export function encodeFrame(to: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 1)
  frame[0] = to
  frame.set(data, 1)
  return frame
}

/** What the error channel says at the end. */
export const encodeOutcome = (outcome: Outcome): Uint8Array =>
  encodeFrame(channel.error, new TextEncoder().encode(JSON.stringify(statusOf(outcome))))
