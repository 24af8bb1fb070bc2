// `conntrack -L` (plain and `-o extended`) and /proc/net/nf_conntrack: connections that the kernel remembers.
import { defined, type Parsed, parseLines, wordsOf } from '#kernel/dump/lines.ts'
import { canonicalIp } from '#lib/ip.ts'

export type DumpedTuple = {
  readonly source: string
  readonly destination: string
  /** 0 for protocols without ports */
  readonly sourcePort: number
  readonly destinationPort: number
}

export type DumpedConnection = {
  readonly protocol: string
  readonly seconds?: number
  /** TCP: `ESTABLISHED` ... */
  readonly state?: string
  readonly original: DumpedTuple
  readonly reply: DumpedTuple
  readonly unreplied: boolean
  readonly assured: boolean
  readonly mark: number
}

export function parseConnections(text: string): Parsed<DumpedConnection[]> {
  const { value, unread } = parseLines(text, readLine)
  return { value, unread: unread.filter(({ text: line }) => !line.startsWith('conntrack v')) }
}

function readLine(line: string): DumpedConnection | undefined {
  const words = wordsOf(line)
  if (/^ipv[46]$/.test(words[0] ?? '')) words.splice(0, 2)
  const [protocol, number, seconds] = words
  if (protocol === undefined || number === undefined || !/^\d+$/.test(number)) return undefined
  const tuples: Record<string, string>[] = [{}, {}]
  let which = 0
  let mark = 0
  for (const word of words) {
    const [, key, value] = /^([a-z]+)=(\S*)$/.exec(word) ?? []
    if (key === 'mark') mark = Number(value)
    if (key === undefined || !['src', 'dst', 'sport', 'dport'].includes(key)) continue
    if (which === 0 && key in tuples[0]!) which = 1
    tuples[which]![key] = value!
  }
  const [original, reply] = [tupleOf(tuples[0]!), tupleOf(tuples[1]!)]
  if (original === undefined || reply === undefined) return undefined
  const state = words.find((word, i) => i >= 2 && /^[A-Z][A-Z0-9_]+$/.test(word))
  return defined({
    protocol,
    seconds: /^\d+$/.test(seconds ?? '') ? Number(seconds) : undefined,
    state,
    original,
    reply,
    unreplied: words.includes('[UNREPLIED]'),
    assured: words.includes('[ASSURED]'),
    mark,
  })
}

function tupleOf(fields: Record<string, string>): DumpedTuple | undefined {
  const [source, destination] = [canonicalIp(fields['src'] ?? ''), canonicalIp(fields['dst'] ?? '')]
  if (source === undefined || destination === undefined) return undefined
  return {
    source,
    destination,
    sourcePort: Number(fields['sport'] ?? 0),
    destinationPort: Number(fields['dport'] ?? 0),
  }
}

const protocolNumbers: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 }

/** As `conntrack -L` prints them. */
export const renderConnections = (connections: readonly DumpedConnection[]): string =>
  connections
    .map((connection) => {
      const tuple = ({ source, destination, sourcePort, destinationPort }: DumpedTuple) =>
        `src=${source} dst=${destination} sport=${sourcePort} dport=${destinationPort}`
      const words = [
        connection.protocol.padEnd(8),
        String(protocolNumbers[connection.protocol] ?? 0),
        String(connection.seconds ?? 0),
        ...(connection.state === undefined ? [] : [connection.state]),
        tuple(connection.original),
        ...(connection.unreplied ? ['[UNREPLIED]'] : []),
        tuple(connection.reply),
        ...(connection.assured ? ['[ASSURED]'] : []),
        `mark=${connection.mark} use=1`,
      ]
      return `${words.join(' ')}\n`
    })
    .join('')
