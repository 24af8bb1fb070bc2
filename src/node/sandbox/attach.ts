// effect: conmon's sockets
// Joins a container that runs: its output from now on, its input, the size of its terminal. conmon passes them on by a
// socket of packets (the first byte says which stream) and a pipe for orders.
import { writeFile } from 'node:fs/promises'
import { AF, close, connectUnix, duplicate, endSending, send, SOCK, socket } from '#kernel/ffi.ts'
import { watchReadable } from '#kernel/readable.ts'
import type { Streams } from '#node/runtime.ts'
import type { Layout } from '#node/sandbox/layout.ts'

const stream = { stdout: 2, stderr: 3 } as const
/** conmon reads no longer packets. */
const mostPacket = 8192

/** Resolves when the container has ended, or the signal is aborted. */
export async function attach(
  layout: Layout,
  id: string,
  { streams, signal }: { readonly streams: Streams; readonly signal: AbortSignal },
): Promise<void> {
  const fd = socket(AF.unix, SOCK.sequencedPacket, 0)
  try {
    connectUnix(fd, layout.attachSocket(id))
  } catch (error) {
    close(fd)
    throw error
  }
  const writing = duplicate(fd)
  const ended = Promise.withResolvers<void>()
  using _reading = watchReadable(fd, {
    data(packet) {
      const to = packet[0] === stream.stderr ? streams.stderr : packet[0] === stream.stdout ? streams.stdout : undefined
      to?.write(packet.subarray(1))
    },
    end: () => ended.resolve(),
  })
  signal.addEventListener('abort', () => ended.resolve(), { once: true })
  streams.stdin?.on('data', (data: Buffer) => sendAll(writing, data))
  streams.stdin?.on('end', () => quietly(() => endSending(writing)))
  void followSizes(layout, id, streams)
  await ended.promise
  streams.stdin?.removeAllListeners('data').removeAllListeners('end')
  close(writing)
}

function sendAll(fd: number, data: Uint8Array): void {
  for (let from = 0; from < data.length; from += mostPacket)
    quietly(() => send(fd, data.subarray(from, from + mostPacket)))
}

/** The container may end at any moment; that is heard at the other end. */
function quietly(act: () => void): void {
  try {
    act()
  } catch (error) {
    const { code } = error as { code?: string }
    if (!['EPIPE', 'ENOTCONN', 'ECONNRESET', 'EBADF'].includes(code ?? '')) throw error
  }
}

async function followSizes(layout: Layout, id: string, { resizes }: Streams): Promise<void> {
  if (resizes === undefined) return
  for await (const { width, height } of resizes)
    await writeFile(layout.control(id), `1 ${height} ${width}\n`).catch(() => undefined)
}
