// Throughput by iperf3, latency by one byte to and fro, and what the whole machine computes meanwhile.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { withNetns } from '#kernel/netns.ts'

export type Measured = {
  readonly gbit: number
  readonly gbit8: number
  readonly rttUs: number
  /** of all processors, per byte carried by one flow */
  readonly cpuNsPerByte: number
}

/** From one namespace to an address in another, as often as one likes. */
export type Path = AsyncDisposable & { measure(seconds: number): Promise<Measured> }

export async function openPath(from: string, to: string, ip: string): Promise<Path> {
  const server = withNetns(to, () => spawn('iperf3', ['-s', '--forceflush'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  const echo = withNetns(to, () => spawn('python3', ['-c', echoText], { stdio: ['ignore', 'pipe', 'inherit'] }))
  await Promise.all([once(server.stdout), once(echo.stdout)])
  return {
    async measure(seconds) {
      const before = busyNs()
      const one = await iperf(from, ip, seconds, 1)
      const cpuNsPerByte = (busyNs() - before) / one.bytes
      const eight = await iperf(from, ip, seconds, 8)
      const rttUs = Number(await run(from, ['python3', '-c', askText, ip]))
      return { gbit: one.bits / 1e9, gbit8: eight.bits / 1e9, rttUs, cpuNsPerByte }
    },
    async [Symbol.asyncDispose]() {
      for (const child of [server, echo]) {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill()
        await ended
      }
    },
  }
}

const once = (stream: NodeJS.ReadableStream) => new Promise((resolve) => stream.once('data', resolve))

/** Both ends on processors of their own: where they meet on one by chance, a run carries a third less. */
const apart = availableParallelism() > 1 ? ['-A', '0,1'] : []

async function iperf(from: string, ip: string, seconds: number, flows: number) {
  const words = ['iperf3', '-c', ip, '-t', String(seconds), '-P', String(flows), '-J', ...apart]
  const { end, error } = JSON.parse(await run(from, words))
  if (end.sum_received === undefined) throw new Error(`iperf3: ${error}`)
  return { bits: end.sum_received.bits_per_second as number, bytes: end.sum_received.bytes as number }
}

function run(netns: string, words: readonly string[]): Promise<string> {
  const child = withNetns(netns, () => spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] }))
  let text = ''
  child.stdout.on('data', (data) => (text += String(data)))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(text))
  })
}

/** All processors since the start, but for idling: /proc/stat counts in hundredths of a second. */
function busyNs(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8').split(/\s+/).map(Number)
  return (user! + nice! + system! + irq! + softirq!) * 1e7
}

const echoText = `
import socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('', 7000))
listener.listen()
print('ready', flush=True)
while True:
    connection = listener.accept()[0]
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        data = connection.recv(1)
        if not data: break
        connection.send(data)
`
const askText = `
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 7000))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
times = []
for _ in range(2000):
    start = time.perf_counter()
    connection.send(b'x')
    connection.recv(1)
    times.append(time.perf_counter() - start)
print(sorted(times)[len(times) // 2] * 1e6)
`
