// `ip route` and `ip -6 route`, plain and as JSON, of one table or of all (`show table all`).
import {
  defined,
  isJson,
  isObject,
  type JsonObject,
  numberOf,
  type Parsed,
  parseLines,
  parseObjects,
  readPairs,
  textOf,
  wholeNumber,
  wordsOf,
} from '#kernel/dump/lines.ts'
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'

export type DumpedRoute = {
  /** undefined where neither destination nor next hop tell it */
  readonly family?: 4 | 6
  /** `10.244.1.0/24`; `default` is 0.0.0.0/0 or ::/0 */
  readonly destination: string
  readonly type: string
  readonly via?: string
  readonly device?: string
  /** preferred source address */
  readonly source?: string
  readonly metric: number
  /** as the dump names it: `main`, `local`, `100` */
  readonly table: string
  readonly scope?: string
  readonly onlink: boolean
  readonly mtu?: number
  /** its interface is down or has no carrier */
  readonly dead: boolean
  /** more than one way, by weight */
  readonly hops?: readonly NextHop[]
}

export type NextHop = {
  readonly via?: string
  readonly device?: string
  readonly weight: number
  readonly dead: boolean
}

const types = [
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'unreachable',
  'blackhole',
  'prohibit',
  'throw',
  'nat',
]

export function parseRoutes(text: string): Parsed<DumpedRoute[]> {
  if (isJson(text)) return parseObjects(text, readObject)
  const parsed = parseLines(text, readLine)
  // Further hops stand on lines of their own below their route.
  const routes: DumpedRoute[] = []
  for (const item of parsed.value) {
    if ('route' in item) routes.push(item.route)
    else if (routes.length > 0) {
      const last = routes.pop()!
      routes.push({
        ...last,
        ...(last.family === undefined && familyField(item.hop.via)),
        hops: [...(last.hops ?? []), item.hop],
      })
    }
  }
  return { value: routes, unread: parsed.unread }
}

const familyField = (ip: string | undefined): { family?: 4 | 6 } => defined({ family: ipFamily(ip ?? '') })

function readObject(object: JsonObject): DumpedRoute | undefined {
  const flags = Array.isArray(object['flags']) ? object['flags'] : []
  const via = textOf(object['gateway']) ?? (isObject(object['via']) ? textOf(object['via']['host']) : undefined)
  const hops = Array.isArray(object['nexthops']) ? object['nexthops'].filter(isObject).map(readHop) : undefined
  const metrics = Array.isArray(object['metrics']) ? object['metrics'].find(isObject) : undefined
  return build(textOf(object['dst']), {
    type: textOf(object['type']),
    via,
    device: textOf(object['dev']),
    source: textOf(object['prefsrc']),
    metric: numberOf(object['metric']),
    table: textOf(object['table']),
    scope: textOf(object['scope']),
    onlink: flags.includes('onlink'),
    dead: flags.includes('dead') || flags.includes('linkdown'),
    mtu: numberOf(metrics?.['mtu']),
    hops,
  })
}

function readHop(object: JsonObject): NextHop {
  const flags = Array.isArray(object['flags']) ? object['flags'] : []
  return defined({
    via: textOf(object['gateway']) ?? (isObject(object['via']) ? textOf(object['via']['host']) : undefined),
    device: textOf(object['dev']),
    weight: wholeNumber(String(object['weight'] ?? 1)) ?? 1,
    dead: flags.includes('dead') || flags.includes('linkdown'),
  })
}

const flagWords = new Set([
  'onlink',
  'linkdown',
  'dead',
  'pervasive',
  'offload',
  'trap',
  'notify',
  'rt_trap',
  'rt_offload',
])

function readLine(line: string): { readonly route: DumpedRoute } | { readonly hop: NextHop } | undefined {
  // `via inet6 fe80::1` has one word more; features in brackets and `expires 10sec` say nothing here
  const words = wordsOf(line.replaceAll(/\bvia inet6? /g, 'via ').replaceAll(/\berror -?\d+/g, ''))
  if (words[0] === 'nexthop') {
    const pairs = readPairs(words.slice(1), flagWords)
    const weight = wholeNumber(pairs?.get('weight') ?? '1')
    if (pairs === undefined || weight === undefined) return undefined
    const hop = defined({
      via: pairs.get('via'),
      device: pairs.get('dev'),
      weight,
      dead: pairs.has('dead') || pairs.has('linkdown'),
    })
    return { hop }
  }
  const type = types.includes(words[0] ?? '') ? words.shift() : undefined
  const destination = words.shift()
  const pairs = readPairs(words, flagWords)
  const route =
    pairs &&
    build(destination, {
      type,
      via: pairs.get('via'),
      device: pairs.get('dev'),
      source: pairs.get('src'),
      metric: pairs.has('metric') ? Number(pairs.get('metric')) : undefined,
      table: pairs.get('table'),
      scope: pairs.get('scope'),
      onlink: pairs.has('onlink'),
      dead: pairs.has('dead') || pairs.has('linkdown'),
      mtu: pairs.has('mtu') ? Number(pairs.get('mtu')) : undefined,
      hops: undefined,
    })
  return route && { route }
}

type Fields = {
  readonly [K in 'type' | 'via' | 'device' | 'source' | 'table' | 'scope']: string | undefined
} & {
  readonly metric: number | undefined
  readonly mtu: number | undefined
  readonly onlink: boolean
  readonly dead: boolean
} & {
  readonly hops: readonly NextHop[] | undefined
}

function build(destination: string | undefined, fields: Fields): DumpedRoute | undefined {
  const via = canonicalIp(fields.via ?? '')
  const source = canonicalIp(fields.source ?? '')
  const known = [destination?.split('/')[0], via, source, fields.hops?.[0]?.via].map((text) => ipFamily(text ?? ''))
  const family = known.find((item) => item !== undefined)
  const range = rangeOf(destination, family)
  if (range === undefined) return undefined
  return defined({
    ...fields,
    family,
    destination: range,
    type: fields.type ?? 'unicast',
    via,
    source,
    metric: fields.metric ?? 0,
    table: fields.table ?? 'main',
  })
}

function rangeOf(text: string | undefined, family: 4 | 6 | undefined): string | undefined {
  if (text === 'default') return family === 4 ? '0.0.0.0/0' : family === 6 ? '::/0' : 'default'
  const cidr = parseCidr(
    text === undefined || text.includes('/') ? (text ?? '') : `${text}/${text.includes(':') ? 128 : 32}`,
  )
  return cidr && formatCidr(cidr)
}

/** As `ip -j route show table all` prints them. */
export function renderRoutes(routes: readonly DumpedRoute[]): string {
  return `${JSON.stringify(
    routes.map((route) =>
      defined({
        type: route.type === 'unicast' ? undefined : route.type,
        dst:
          /^(0\.0\.0\.0|::)\/0$/.test(route.destination) && (route.via ?? route.source) !== undefined
            ? 'default'
            : route.destination,
        gateway: route.via,
        dev: route.device,
        table: route.table === 'main' ? undefined : route.table,
        scope: route.scope,
        prefsrc: route.source,
        metric: route.metric === 0 ? undefined : route.metric,
        flags: [...(route.onlink ? ['onlink'] : []), ...(route.dead ? ['dead'] : [])],
        metrics: route.mtu === undefined ? undefined : [{ mtu: route.mtu }],
        nexthops: route.hops?.map((hop) =>
          defined({ gateway: hop.via, dev: hop.device, weight: hop.weight, flags: hop.dead ? ['dead'] : [] }),
        ),
      }),
    ),
  )}\n`
}
