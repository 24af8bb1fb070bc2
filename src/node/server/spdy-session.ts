// effect: SPDY connections
// exec and attach as kubectl speaks them before 1.30, and as later ones do where a WebSocket does not come through: the
// client opens a stream for each of error, stdin, stdout, stderr and resize.
import type { Duplex } from 'node:stream'
import { messageOf, parseSize, Sizes, statusOf, type Connected, type Session } from '#node/server/session.ts'
import { SpdyConnection, type SpdyStream } from '#node/server/spdy/connection.ts'

/** The newest first. */
export const sessionProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const
export type Protocol = (typeof sessionProtocols)[number]

/** Kubernetes' own time for a client to open its streams. */
const openingMs = 30_000

/** The connection has been upgraded already. Rejects where the client does not open what it asked for. */
export async function connectSpdy(
  socket: Duplex,
  head: Uint8Array,
  session: Session,
  protocol: Protocol,
): Promise<Connected> {
  const wanted = streamTypes(session, protocol)
  const opened = new Map<string, SpdyStream>()
  const isComplete = Promise.withResolvers<void>()
  const connection = new SpdyConnection(socket, head, {
    isServer: true,
    onStream(stream) {
      const type = stream.headers['streamtype'] ?? ''
      if (!wanted.includes(type) || opened.has(type)) return void stream.destroy()
      opened.set(type, stream)
      if (opened.size === wanted.length) isComplete.resolve()
    },
  })
  const late = setTimeout(
    () => isComplete.reject(new Error('timed out waiting for client to create streams')),
    openingMs,
  )
  const gone = new AbortController()
  void connection.closed.then(() => {
    gone.abort()
    isComplete.reject(new Error('the client went away'))
  })
  try {
    await isComplete.promise
  } catch (error) {
    connection.close()
    throw error
  } finally {
    clearTimeout(late)
  }
  return join(connection, opened, protocol, gone.signal)
}

const streamTypes = ({ stdin, stdout, stderr, tty }: Session, protocol: Protocol): readonly string[] => [
  'error',
  ...(stdin ? ['stdin'] : []),
  ...(stdout ? ['stdout'] : []),
  ...(stderr ? ['stderr'] : []),
  ...(tty && (protocol.startsWith('v4') || protocol.startsWith('v3')) ? ['resize'] : []),
]

function join(
  connection: SpdyConnection,
  opened: ReadonlyMap<string, SpdyStream>,
  protocol: Protocol,
  signal: AbortSignal,
): Connected {
  const [error, stdin, stdout, stderr, resize] = ['error', 'stdin', 'stdout', 'stderr', 'resize'].map((type) =>
    opened.get(type),
  )
  // Nothing comes in on these but their ends.
  for (const stream of [error, stdout, stderr]) stream?.resume()
  const resizes = new Sizes()
  if (resize) followSizes(resize, resizes)
  signal.addEventListener('abort', () => resizes.end(), { once: true })
  return {
    streams: { ...(stdin && { stdin }), ...(stdout && { stdout }), ...(stderr && { stderr }), resizes },
    signal,
    async end(outcome) {
      await Promise.all([stdout, stderr].map((stream) => ended(stream)))
      const text = protocol === 'v4.channel.k8s.io' ? JSON.stringify(statusOf(outcome)) : messageOf(outcome)
      await ended(error, text)
      resizes.end()
      connection.close()
    },
  }
}

const ended = (stream: SpdyStream | undefined, last = '') =>
  new Promise<void>((resolve) => {
    if (stream === undefined || stream.destroyed) return resolve()
    stream.once('close', resolve)
    return stream.end(last, () => resolve())
  })

/** JSON objects, a line each. */
function followSizes(stream: SpdyStream, sizes: Sizes): void {
  let rest = ''
  stream.on('data', (data: Buffer) => {
    const lines = `${rest}${data.toString()}`.split('\n')
    rest = lines.pop()!.slice(0, 1024)
    for (const line of lines) {
      const size = parseSize(line)
      if (size) sizes.put(size)
    }
  })
}
