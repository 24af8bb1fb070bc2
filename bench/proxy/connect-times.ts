// How long a first packet takes: TCP connections from the node itself to the first and to the last Service of all, whose
// endpoint is a server here. What Node's own event loop costs is in both alike.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

export const serverIp = '192.0.2.1'
export const serverPort = 8080

/** Cluster IPs lead into the loopback interface, where rules meet what the node sends. */
export async function startServer(): Promise<Server> {
  execFileSync('ip', ['address', 'add', `${serverIp}/32`, 'dev', 'lo'])
  execFileSync('ip', ['route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', serverIp])
  const server = createServer((socket) => socket.on('error', () => undefined).end())
    .listen(serverPort, serverIp)
    .unref()
  await once(server, 'listening')
  return server
}

const warmUp = 50

/** Microseconds of each of `times` connections, one after the other, when all has been run before. */
export async function connectTimes(ip: string, times: number): Promise<number[]> {
  const all: number[] = []
  for (let i = -warmUp; i < times; i++) {
    const startMs = performance.now()
    const socket = connect({ host: ip, port: 80 })
    await once(socket, 'connect')
    if (i >= 0) all.push((performance.now() - startMs) * 1000)
    socket.destroy()
  }
  return all
}
