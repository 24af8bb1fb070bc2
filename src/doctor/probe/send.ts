// effect: TCP connections, UDP datagrams, DNS questions out of network namespaces
// One probe at a time, each bounded in time; sockets are closed again, and nothing is made that would stay.
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { Socket } from 'node:net'
import { encodeMessage, queryMessage } from '#dns/wire/message.ts'
import { normalName } from '#dns/wire/name.ts'
import { classIn, recordTypes } from '#dns/wire/record.ts'
import type { Probe } from '#doctor/probe/plan.ts'
import type { Tried } from '#doctor/probe/probed.ts'
import { AF, SOCK, socket as makeSocket } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'

/** How long one try may take. */
const mostMs = 2000

/** One try; never throws. `netns`: the path of a namespace, undefined: this one. */
export async function sendProbe(probe: Probe, netns: string | undefined): Promise<Tried> {
  const start = performance.now()
  const tried = await (probe.kind === 'name'
    ? ask(probe, netns)
    : probe.kind === 'question'
      ? sendDatagram(probe, netns, questionAbout(probe.forward.zone))
      : probe.protocol === 'tcp'
        ? connect(probe, netns)
        : sendDatagram(probe, netns))
  return { ...tried, ms: performance.now() - start }
}

type Fate = Omit<Tried, 'ms'>
type Connection = Extract<Probe, { kind: 'connection' }>

const refusals = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EPERM', 'EACCES']
const failed = (code = 'ETIMEDOUT'): Fate =>
  refusals.includes(code) ? { kind: 'refused', text: code } : { kind: 'silent', text: code }

/** Opens a connection and resets it, which leaves neither end in TIME_WAIT; of HTTP the first line is waited for. */
function connect({ ip, port, http }: Connection, netns: string | undefined): Promise<Fate> {
  const family = ip.includes(':') ? AF.inet6 : AF.inet
  const fd = withNetns(netns, () => makeSocket(family, SOCK.stream | SOCK.nonblock, 0))
  const socket = new Socket({ fd, manualStart: true } as { fd: number })
  return new Promise<Fate>((resolve) => {
    let isOpen = false
    const deadline = setTimeout(
      () => resolve(isOpen ? { kind: 'mute', text: 'open, but no answer' } : failed()),
      mostMs,
    )
    const end = (fate: Fate) => {
      clearTimeout(deadline)
      resolve(fate)
    }
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      end(isOpen ? { kind: 'mute', text: `open, then ${code}` } : failed(code)),
    )
    socket.on('close', () => end({ kind: 'mute', text: 'open, then closed' }))
    socket.on('data', (bytes: Uint8Array) => {
      const [line = ''] = new TextDecoder().decode(bytes).split('\r\n')
      end({ kind: 'works', text: line.startsWith('HTTP/') ? line : 'answers' })
    })
    socket.connect({ host: ip, port }, () => {
      isOpen = true
      if (!http) return end({ kind: 'works', text: 'opens' })
      socket.resume()
      socket.write(`GET / HTTP/1.1\r\nHost: ${ip}\r\nUser-Agent: fairway-doctor\r\nConnection: close\r\n\r\n`)
    })
  }).finally(() => socket.resetAndDestroy())
}

/** Any answer to it will do. */
function questionAbout(zone: string): Uint8Array {
  const name = zone === '.' ? '' : normalName(zone.split(' ')[0]!)
  return encodeMessage(queryMessage(0x0f0f, { name, type: recordTypes.NS, class: classIn }))
}

/** Whether somebody refuses it: what a program of UDP would answer is its own affair. */
function sendDatagram(
  { ip, port }: Pick<Connection, 'ip' | 'port'>,
  netns: string | undefined,
  bytes: Uint8Array = new Uint8Array(0),
): Promise<Fate> {
  const isSix = ip.includes(':')
  const fd = withNetns(netns, () => makeSocket(isSix ? AF.inet6 : AF.inet, SOCK.dgram | SOCK.nonblock, 0))
  const socket = createSocket(isSix ? 'udp6' : 'udp4')
  return new Promise<Fate>((resolve) => {
    const deadline = setTimeout(
      () => resolve({ kind: 'mute', text: 'no answer, and no refusal' }),
      bytes.length > 0 ? mostMs : mostMs / 4,
    )
    const end = (fate: Fate) => {
      clearTimeout(deadline)
      resolve(fate)
    }
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(failed(code)))
    socket.on('message', () => end({ kind: 'works', text: 'answers' }))
    socket.bind({ fd }, () => socket.connect(port, ip, () => socket.send(bytes)))
  }).finally(() => socket.close())
}

async function ask({ server, name }: Extract<Probe, { kind: 'name' }>, netns: string | undefined): Promise<Fate> {
  const resolver = new Resolver({ timeout: mostMs, tries: 1 })
  resolver.setServers([server])
  try {
    // The question is on its way when the call returns: its socket was made inside.
    const addresses = await withNetns(netns, () => resolver.resolve4(name))
    return { kind: 'works', text: addresses.toSorted().join(', '), addresses }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOTFOUND' || code === 'ENODATA') return { kind: 'works', text: code, addresses: [] }
    return failed(code === 'ETIMEOUT' ? 'ETIMEDOUT' : code)
  }
}
