// The frames of exec and attach over WebSocket (subprotocols v4 and v5.channel.k8s.io): the first byte of a message names
// a channel, the rest is its data.

export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const
export const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const

export type Frame =
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly width: number; readonly height: number }
  /** the client has no more input (v5) */
  | { readonly kind: 'endOfStdin' }

/** undefined for what means nothing here. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const data = bytes.subarray(1)
  if (bytes[0] === channel.stdin) return { kind: 'stdin', data }
  if (bytes[0] === channel.close) return data[0] === channel.stdin ? { kind: 'endOfStdin' } : undefined
  if (bytes[0] !== channel.resize) return undefined
  try {
    const { Width, Height } = JSON.parse(new TextDecoder().decode(data)) as { Width?: number; Height?: number }
    return { kind: 'resize', width: Number(Width ?? 0), height: Number(Height ?? 0) }
  } catch {
    return undefined
  }
}

export function encodeFrame(to: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 1)
  frame[0] = to
  frame.set(data, 1)
  return frame
}

/** What the error channel says at the end: a Status. */
export function encodeExit(exitCode: number): Uint8Array {
  const status =
    exitCode === 0
      ? { metadata: {}, status: 'Success' }
      : {
          metadata: {},
          status: 'Failure',
          message: `command terminated with non-zero exit code: exit status ${exitCode}`,
          reason: 'NonZeroExitCode',
          details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
        }
  return encodeStatus(status)
}

export const encodeFailure = (message: string): Uint8Array =>
  encodeStatus({ metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 })

const encodeStatus = (status: object) => encodeFrame(channel.error, new TextEncoder().encode(JSON.stringify(status)))
