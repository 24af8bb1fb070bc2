// effect: event loop watches a kernel file
// Waits on a kernel file that Node has no handle for (netlink socket, TUN device, pidfd), without a thread and without
// polling: Node is given the read end of a fresh pipe, and the wanted file is put under that number before the event
// loop first looks at it. From then on epoll watches the file itself, and each read is one datagram or packet.
import { Socket } from 'node:net'
import { close, duplicateOnto, pipe } from '#kernel/ffi.ts'

export type Readable = Disposable & {
  /** the number under which the file is watched */
  readonly fd: number
  /** Lets the process exit although this is still watched. */
  unref(): void
}

export type ReadableEvents = {
  /** One datagram or packet, at most 64 KiB. The bytes stay valid. */
  data(bytes: Uint8Array): void
  /** Reading failed with this errno name (`ENOBUFS`: messages were lost) or the file ended (undefined); watching is over. */
  end(code: string | undefined): void
}

/** Watches `fd`, which from here on belongs to the watcher and is closed with it. Its reads must not block. */
export function watchReadable(fd: number, events: ReadableEvents): Readable {
  const { readEnd, writeEnd } = pipe()
  const socket = new Socket({ fd: readEnd, readable: true, writable: false })
  duplicateOnto(fd, readEnd)
  close(writeEnd)
  close(fd)
  let over = false
  const end = (code: string | undefined) => {
    if (over) return
    over = true
    socket.destroy()
    events.end(code)
  }
  socket.on('data', (bytes: Buffer) => {
    if (!over) events.data(bytes)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code))
  socket.on('end', () => end(undefined))
  return {
    fd: readEnd,
    unref: () => void socket.unref(),
    [Symbol.dispose]: () => {
      over = true
      socket.destroy()
    },
  }
}
