// Which sockets of a machine wait for others: what `ss -lntu`, `netstat -lntu` and /proc/net/tcp, tcp6, udp, udp6 say.

import { type Parsed, wordsOf } from '#kernel/dump/lines.ts'
import { canonicalIp, formatIp, type Ip, ipFamily, isLoopback } from '#lib/ip.ts'

export type ListeningSocket = {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** undefined: on every address of `families` */
  readonly ip?: Ip
  readonly families: readonly (4 | 6)[]
}

/** Lines of connections are passed over. A socket of /proc/net on `::` is taken to serve IPv4 too, as most do. */
export function parseSockets(text: string): Parsed<ListeningSocket[]> {
  const value: ListeningSocket[] = []
  const unread: { line: number; text: string }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || headings.test(line) || others.test(line)) continue
    const found = procLine.test(line) ? readProc(line) : readProgram(wordsOf(line))
    if (found === undefined) unread.push({ line: index + 1, text: line.slice(0, 200) })
    else if (found !== 'connection') value.push(found)
  }
  return { value, unread }
}

/** Which protocols a text tells of: `ss -lnt` and /proc/net/tcp say nothing of UDP. A text without a line is of both. */
export function protocolsIn(text: string): readonly ('tcp' | 'udp')[] {
  if (text.trim() === '' || /^(Netid|Proto|tcp|udp)/m.test(text)) return ['tcp', 'udp']
  const { value } = parseSockets(text)
  const isTcp = /^(LISTEN|ESTAB)\s|^\s*\d+: \S+ \S+ 0[1-6A]\s/m.test(text)
  return [...new Set([...value.map(({ protocol }) => protocol), ...(isTcp ? ['tcp' as const] : [])])]
}

const headings = /^(Netid|State|Proto)\s|^\s*sl\s+local_address|^Active Internet connections/

/** Sockets of other protocols (`ss -a`, `netstat -a`), and lines of details that `ss -mi` adds. */
const others = /^(nl|u_\w+|p_\w+|v_\w+|unix|raw6?|icmp6?|sctp|mptcp|dccp)\s|^Active UNIX |^\t\s*(skmem:|\w+ )/

type Read = ListeningSocket | 'connection' | undefined

/** `tcp LISTEN 0 128 *:80 *:*`, without the first word where one protocol was asked for; `tcp6 0 0 :::80 :::* LISTEN`. */
function readProgram(words: readonly string[]): Read {
  const end = words.findIndex((word) => /:(\d+|\*)$/.test(word))
  const local = /^(.*):(\d+)$/.exec(words[end] ?? '')
  if (local === null) return undefined
  const named = /^(tcp|udp)[46]?$/.exec(words[0]!)?.[1]
  const state = words.find((word) => /^[A-Z][A-Z0-9-]+$/.test(word))
  const protocol = named ?? (state === 'LISTEN' ? 'tcp' : 'udp')
  const waits = protocol === 'tcp' ? state === 'LISTEN' : state === undefined || state === 'UNCONN'
  if (!waits) return 'connection'
  const host = local[1]!.replaceAll(/[[\]]/g, '').replace(/%.*$/, '')
  return socketAt(protocol as 'tcp' | 'udp', Number(local[2]), host, words[0]!.endsWith('6'))
}

function socketAt(protocol: 'tcp' | 'udp', port: number, host: string, isBoth: boolean): ListeningSocket | undefined {
  if (host === '*') return { protocol, port, families: [4, 6] }
  const ip = canonicalIp(host.replace(/^::ffff:(?=\d+\.)/i, ''))
  if (ip === undefined) return undefined
  const families = isBoth && ip === '::' ? ([4, 6] as const) : [ipFamily(ip)!]
  return { protocol, port, families, ...(ip !== '0.0.0.0' && ip !== '::' && { ip }) }
}

/** `0: 0100007F:1F90 00000000:0000 0A ...`: words of the machine's order, little endian on all that Linux runs pods on. */
const procLine = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) /

function readProc(line: string): Read {
  const [, address = '', port = '', peerPort, state] = procLine.exec(line)!
  const isTcp = state === '0A'
  if (!isTcp && (state !== '07' || peerPort !== '0000')) return 'connection'
  const bytes = Uint8Array.from(address.match(/../g)!, (digits) => Number.parseInt(digits, 16))
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  return socketAt(isTcp ? 'tcp' : 'udp', Number.parseInt(port, 16), formatIp(bytes), true)
}

/** As `ss -lntuH` prints them. */
export const renderSockets = (sockets: readonly ListeningSocket[]): string =>
  sockets
    .map(({ protocol, port, ip, families }) => {
      const any = families.length === 2 ? '*' : families[0] === 4 ? '0.0.0.0' : '[::]'
      const host = ip === undefined ? any : ip.includes(':') ? `[${ip}]` : ip
      return `${protocol}   ${protocol === 'tcp' ? 'LISTEN' : 'UNCONN'} 0      0      ${host}:${port}      *:*\n`
    })
    .join('')

/** Whether somebody waits at this address; `only local`: only on the loopback address. */
export function listensAt(
  sockets: readonly ListeningSocket[],
  protocol: string,
  port: number,
  ip: Ip,
): 'yes' | 'no' | 'only local' {
  const family = ipFamily(ip) ?? 4
  const at = sockets.filter(
    (socket) => socket.protocol === protocol && socket.port === port && socket.families.includes(family),
  )
  if (at.some((socket) => socket.ip === undefined || socket.ip === ip)) return 'yes'
  return at.some((socket) => socket.ip !== undefined && isLoopback(socket.ip)) ? 'only local' : 'no'
}
