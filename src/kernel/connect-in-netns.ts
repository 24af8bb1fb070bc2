// effect: TCP connections in network namespaces
// A socket belongs to the namespace in which it was made, for good: made there, it is connected from here like any other.
import { Socket } from 'node:net'
import { AF, SOCK, socket as makeSocket } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'

/** Connects to a port on the loopback interface of a namespace (undefined: of this one), over IPv4, else over IPv6. */
export async function connectInNetns(netns: string | undefined, port: number): Promise<Socket> {
  try {
    return await connect(netns, AF.inet, '127.0.0.1', port)
  } catch (error) {
    return connect(netns, AF.inet6, '::1', port).catch(() => Promise.reject(error as Error))
  }
}

function connect(netns: string | undefined, family: number, host: string, port: number): Promise<Socket> {
  const fd = withNetns(netns, () => makeSocket(family, SOCK.stream | SOCK.nonblock, 0))
  // Without manualStart Node would read at once, which fails before there is a connection.
  const socket = new Socket({ fd, allowHalfOpen: true, manualStart: true } as { fd: number })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.connect({ host, port }, () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
