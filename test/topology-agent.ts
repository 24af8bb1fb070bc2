// The thread of topology.ts that lives in one network namespace.
/* oxlint-disable unicorn/require-post-message-target-origin */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { openSync } from 'node:fs'
import { createServer, connect as connectTcp, isIPv6, type Server } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { CLONE, setns } from '#kernel/ffi.ts'
import type { ConnectOptions, Tally } from '#test/topology.ts'

export type Call =
  | { readonly kind: 'serve'; readonly ports: readonly number[] }
  | { readonly kind: 'close'; readonly ports: readonly number[] }
  | { readonly kind: 'connect'; readonly options: ConnectOptions }
  | { readonly kind: 'fetch'; readonly url: string }
export type Answer = { readonly value: unknown } | { readonly error: string }

const { name, netns } = workerData as { readonly name: string; readonly netns: string }
setns(openSync(netns, 'r'), CLONE.newNet)

const plain = (address = '') => address.replace('::ffff:', '')
const open = new Map<number, { readonly tcp: Server; readonly udp: readonly UdpSocket[] }>()

async function serve(port: number): Promise<void> {
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(`${name} ${plain(socket.remoteAddress)}`)
  })
  await new Promise<void>((resolve, reject) => {
    tcp.once('error', reject)
    tcp.listen(port, '::', resolve)
  })
  const udp = await Promise.all((['udp4', 'udp6'] as const).map((type) => serveUdp(type, port)))
  open.set(port, { tcp, udp })
}

async function serveUdp(type: 'udp4' | 'udp6', port: number): Promise<UdpSocket> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.on('message', (_: Uint8Array, from: RemoteInfo) =>
    socket.send(`${name} ${from.address}`, from.port, from.address),
  )
  await new Promise<void>((resolve) => socket.bind(port, type === 'udp6' ? '::' : '0.0.0.0', resolve))
  return socket
}

async function close(port: number): Promise<void> {
  const { tcp, udp = [] } = open.get(port) ?? {}
  open.delete(port)
  for (const socket of udp) socket.close()
  await new Promise((resolve) => (tcp === undefined ? resolve(undefined) : tcp.close(resolve)))
}

function once({
  host,
  port,
  protocol,
  timeoutMs = 1000,
  localAddress,
  localPort,
  hearsSend,
}: ConnectOptions): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    let stop = () => {}
    const end = (what: string) => {
      clearTimeout(timer)
      stop()
      resolve(what)
    }
    const timer = setTimeout(() => end('timeout'), timeoutMs)
    if (protocol === 'udp') {
      // Without a callback Node keeps quiet about it.
      const told = (error: NodeJS.ErrnoException | null) => error !== null && end(error.code ?? error.message)
      const send = () => (hearsSend === true ? socket.send('?', told) : socket.send('?'))
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
      stop = () => socket.close()
      socket.on('message', (message) => end(String(message)))
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
      socket.bind({ port: localPort, address: localAddress }, () => socket.connect(port, host, send))
      return
    }
    const socket = connectTcp({ host, port, localAddress })
    stop = () => socket.destroy()
    socket.on('data', (data) => (text += data.toString()))
    socket.on('end', () => end(text))
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}

async function connect(options: ConnectOptions): Promise<Tally> {
  const { times = 1, parallel = 10 } = options
  const tally: Record<string, number> = {}
  for (let done = 0; done < times; done += parallel) {
    const some = Array.from({ length: Math.min(parallel, times - done) }, () => once(options))
    for (const what of await Promise.all(some)) tally[what] = (tally[what] ?? 0) + 1
  }
  return tally
}

async function call(what: Call): Promise<unknown> {
  if (what.kind === 'serve') return await Promise.all(what.ports.map(serve))
  if (what.kind === 'close') return await Promise.all(what.ports.map(close))
  if (what.kind === 'connect') return await connect(what.options)
  const response = await fetch(what.url, { signal: AbortSignal.timeout(2000) })
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
}

parentPort!.on('message', async ({ id, call: what }: { id: number; call: Call }) => {
  const answer: Answer = await call(what).then(
    (value) => ({ value }),
    (error: Error) => ({ error: error.message }),
  )
  parentPort!.postMessage({ id, answer })
})
parentPort!.postMessage({})
