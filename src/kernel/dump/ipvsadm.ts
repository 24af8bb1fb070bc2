// `ipvsadm -Sn` and `ipvsadm -Ln`: virtual servers and the real ones behind them.
import { defined, type Parsed, parseLines, wholeNumber, wordsOf } from '#kernel/dump/lines.ts'
import { canonicalIp } from '#lib/ip.ts'

export type VirtualServer = {
  readonly address:
    | { readonly kind: 'tcp' | 'udp' | 'sctp'; readonly ip: string; readonly port: number }
    | { readonly kind: 'mark'; readonly mark: number; readonly v6: boolean }
  readonly scheduler: string
  /** affinity, in seconds */
  readonly persistent?: number
  /** prefix of client addresses that count as one */
  readonly mask?: string
  /** `flag-1`, `ops` ...: as they stood */
  readonly flags: readonly string[]
  readonly servers: readonly RealServer[]
}

export type RealServer = {
  readonly ip: string
  readonly port: number
  readonly forward: 'masquerade' | 'route' | 'tunnel'
  readonly weight: number
  /** the words behind, as they stood: `-x 10 -y 5`, `--tun-type ...` */
  readonly rest: readonly string[]
}

type Draft = { -readonly [K in keyof VirtualServer]: VirtualServer[K] } & { servers: RealServer[] }

export function parseVirtualServers(text: string): Parsed<VirtualServer[]> {
  const servers: Draft[] = []
  const read = /^-A /m.test(text) || /^-a /m.test(text) ? readSaved : readListed
  const { unread } = parseLines(text, (line) => read(wordsOf(line), servers))
  return { value: servers, unread }
}

const kindOfOption: Readonly<Record<string, 'tcp' | 'udp' | 'sctp' | 'mark'>> = {
  '-t': 'tcp',
  '-u': 'udp',
  '--sctp-service': 'sctp',
  '-f': 'mark',
}

function readSaved([verb, option, address = '', ...rest]: readonly string[], servers: Draft[]): unknown {
  const kind = kindOfOption[option ?? '']
  const where = kind && addressOf(kind, address, rest.includes('-6'))
  if (where === undefined) return undefined
  const after = (name: string) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined)
  if (verb === '-A') {
    const flags = after('-b')?.split(',') ?? []
    return servers.push(
      defined({
        address: where,
        scheduler: after('-s') ?? 'wlc',
        persistent: after('-p') === undefined ? undefined : Number(after('-p')),
        mask: after('-M'),
        flags: rest.includes('-o') ? [...flags, 'ops'] : flags,
        servers: [],
      }),
    )
  }
  const real = splitAddress(after('-r') ?? '')
  const service = servers.findLast((item) => JSON.stringify(item.address) === JSON.stringify(where))
  const weight = wholeNumber(after('-w') ?? '1')
  if (verb !== '-a' || real === undefined || service === undefined || weight === undefined) return undefined
  const forward = rest.includes('-m') ? 'masquerade' : rest.includes('-i') ? 'tunnel' : 'route'
  const known = new Set(['-r', after('-r'), '-m', '-i', '-g', '-w', after('-w'), '-6'])
  return service.servers.push({
    ...real,
    forward,
    weight,
    rest: rest.filter((word) => !known.has(word)),
  })
}

function addressOf(
  kind: 'tcp' | 'udp' | 'sctp' | 'mark',
  text: string,
  v6: boolean,
): VirtualServer['address'] | undefined {
  if (kind === 'mark') return /^\d+$/.test(text) ? { kind, mark: Number(text), v6 } : undefined
  const at = splitAddress(text)
  return at && { kind, ...at }
}

/** `10.0.0.1:80`, `[fd00::1]:80`; a name of a port is not read */
function splitAddress(text: string): { readonly ip: string; readonly port: number } | undefined {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? []
  const ip = canonicalIp(six ?? four ?? '')
  return ip === undefined ? undefined : { ip, port: Number(port) }
}

const forwards: Readonly<Record<string, RealServer['forward']>> = {
  Masq: 'masquerade',
  Route: 'route',
  Tunnel: 'tunnel',
  Local: 'route',
}

function readListed(words: readonly string[], servers: Draft[]): unknown {
  const [first = '', second = '', third = ''] = words
  if (/^(IP|Prot)$/.test(first) || second === 'RemoteAddress:Port') return true
  if (first === '->') {
    const [real, forward] = [splitAddress(second), forwards[third]]
    const weight = wholeNumber(words[3] ?? '1')
    if (real === undefined || forward === undefined || weight === undefined || servers.length === 0) return undefined
    return servers.at(-1)!.servers.push({ ...real, forward, weight, rest: [] })
  }
  const kind = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp', FWM: 'mark' }[first] as 'tcp' | undefined
  const where = kind && addressOf(kind, second, words.includes('IPv6'))
  if (where === undefined) return undefined
  const after = (name: string) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined)
  return servers.push(
    defined({
      address: where,
      scheduler: third,
      persistent: after('persistent') === undefined ? undefined : Number(after('persistent')),
      mask: after('mask'),
      flags: words.includes('ops') ? ['ops'] : [],
      servers: [],
    }),
  )
}

/** As `ipvsadm -Sn` prints them. */
export const renderVirtualServers = (services: readonly VirtualServer[]): string =>
  services
    .map((service) => {
      const name = nameOf(service.address)
      const flags = service.flags.filter((flag) => flag !== 'ops')
      const head = [
        `-A ${name} -s ${service.scheduler}`,
        ...(service.persistent === undefined ? [] : [`-p ${service.persistent}`]),
        ...(service.mask === undefined ? [] : [`-M ${service.mask}`]),
        ...(service.flags.includes('ops') ? ['-o'] : []),
        ...(flags.length === 0 ? [] : [`-b ${flags.join(',')}`]),
      ]
      const reals = service.servers.map((real) =>
        [
          `-a ${name} -r ${at(real.ip, real.port)} ${{ masquerade: '-m', tunnel: '-i', route: '-g' }[real.forward]} -w ${real.weight}`,
          ...real.rest,
        ].join(' '),
      )
      return [head.join(' '), ...reals].map((line) => `${line}\n`).join('')
    })
    .join('')

function nameOf(address: VirtualServer['address']): string {
  if (address.kind === 'mark') return `-f ${address.mark}${address.v6 ? ' -6' : ''}`
  return `${{ tcp: '-t', udp: '-u', sctp: '--sctp-service' }[address.kind]} ${at(address.ip, address.port)}`
}

const at = (ip: string, port: number) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)
