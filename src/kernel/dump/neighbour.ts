// `ip neigh` and `bridge fdb`, plain and as JSON: who has which hardware address, and behind what it lives.
import {
  defined,
  isJson,
  type JsonObject,
  type Parsed,
  parseLines,
  parseObjects,
  readPairs,
  textOf,
  wordsOf,
} from '#kernel/dump/lines.ts'
import { canonicalIp } from '#lib/ip.ts'

export type DumpedNeighbour = {
  readonly ip: string
  readonly device: string
  readonly mac?: string
  /** `REACHABLE`, `PERMANENT`, `FAILED` ... */
  readonly states: readonly string[]
}

export type DumpedForwarding = {
  readonly mac: string
  readonly device: string
  /** vxlan: the address of the other end */
  readonly destination?: string
  readonly master?: string
  readonly flags: readonly string[]
  readonly state?: string
}

export function parseNeighbours(text: string): Parsed<DumpedNeighbour[]> {
  return isJson(text) ? parseObjects(text, readNeighbour) : parseLines(text, readNeighbourLine)
}

function readNeighbour(object: JsonObject): DumpedNeighbour | undefined {
  const [ip, device] = [canonicalIp(textOf(object['dst']) ?? ''), textOf(object['dev'])]
  if (ip === undefined || device === undefined) return undefined
  const states = Array.isArray(object['state']) ? object['state'].map(String) : []
  return defined({ ip, device, mac: textOf(object['lladdr']), states })
}

const neighbourStates = new Set([
  'PERMANENT',
  'NOARP',
  'REACHABLE',
  'STALE',
  'NONE',
  'INCOMPLETE',
  'DELAY',
  'PROBE',
  'FAILED',
])
const neighbourFlags = new Set([...neighbourStates, 'router', 'proxy', 'extern_learn', 'managed', 'offload'])

function readNeighbourLine(line: string): DumpedNeighbour | undefined {
  const [first = '', ...words] = wordsOf(line)
  const ip = canonicalIp(first)
  const pairs = readPairs(words, neighbourFlags)
  const device = pairs?.get('dev')
  if (ip === undefined || pairs === undefined || device === undefined) return undefined
  return defined({ ip, device, mac: pairs.get('lladdr'), states: words.filter((word) => neighbourStates.has(word)) })
}

/** As `ip neigh` prints them. */
export const renderNeighbours = (neighbours: readonly DumpedNeighbour[]): string =>
  neighbours
    .map(
      ({ ip, device, mac, states }) =>
        `${[ip, 'dev', device, ...(mac === undefined ? [] : ['lladdr', mac]), ...states].join(' ')} \n`,
    )
    .join('')

export function parseForwarding(text: string): Parsed<DumpedForwarding[]> {
  return isJson(text) ? parseObjects(text, readForwarding) : parseLines(text, readForwardingLine)
}

function readForwarding(object: JsonObject): DumpedForwarding | undefined {
  const [mac, device] = [textOf(object['mac']), textOf(object['ifname'])]
  if (mac === undefined || device === undefined) return undefined
  const flags = Array.isArray(object['flags']) ? object['flags'].map(String) : []
  return defined({
    mac,
    device,
    destination: canonicalIp(textOf(object['dst']) ?? ''),
    master: textOf(object['master']),
    flags,
    state: textOf(object['state']) || undefined,
  })
}

const forwardingStates = new Set(['permanent', 'static', 'stale', 'local'])
const forwardingFlags = ['self', 'extern_learn', 'offload', 'sticky', 'router', 'proxy']
const forwardingWords = new Set([...forwardingStates, ...forwardingFlags])

function readForwardingLine(line: string): DumpedForwarding | undefined {
  const [mac = '', ...words] = wordsOf(line)
  const pairs = readPairs(words, forwardingWords)
  const device = pairs?.get('dev')
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || pairs === undefined || device === undefined) return undefined
  return defined({
    mac,
    device,
    destination: canonicalIp(pairs.get('dst') ?? ''),
    master: pairs.get('master'),
    flags: words.filter((word) => forwardingFlags.includes(word)),
    state: words.find((word) => forwardingStates.has(word)),
  })
}

/** As `bridge fdb` prints them. */
export const renderForwarding = (entries: readonly DumpedForwarding[]): string =>
  entries
    .map(
      ({ mac, device, destination, master, flags, state }) =>
        `${[
          mac,
          'dev',
          device,
          ...(destination === undefined ? [] : ['dst', destination]),
          ...(master === undefined ? [] : ['master', master]),
          ...flags,
          ...(state === undefined ? [] : [state]),
        ].join(' ')} \n`,
    )
    .join('')
