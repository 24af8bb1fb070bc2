// `ip rule` and `ip -6 rule`, plain and as JSON: which routing table a packet asks, in which order.
import {
  defined,
  isJson,
  type JsonObject,
  numberOf,
  type Parsed,
  parseLines,
  parseObjects,
  readPairs,
  textOf,
  wordsOf,
} from '#kernel/dump/lines.ts'
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { ipFamily } from '#lib/ip.ts'

export type DumpedRule = {
  readonly priority: number
  readonly not: boolean
  /** undefined: from anywhere */
  readonly from?: string
  readonly to?: string
  readonly incoming?: string
  readonly outgoing?: string
  readonly mark?: { readonly value: number; readonly mask: number }
  readonly protocol?: string
  /** `80` or `80-90` */
  readonly sourcePort?: string
  readonly destinationPort?: string
  readonly action:
    | { readonly kind: 'table'; readonly table: string }
    | { readonly kind: 'goto'; readonly priority: number }
    | { readonly kind: 'nop' | 'unreachable' | 'blackhole' | 'prohibit' }
  /** routes that are at most this long do not count */
  readonly suppressPrefix?: number
}

/** What every namespace has until somebody changes it. */
export const usualRules: readonly DumpedRule[] = [
  { priority: 0, not: false, action: { kind: 'table', table: 'local' } },
  { priority: 32_766, not: false, action: { kind: 'table', table: 'main' } },
  { priority: 32_767, not: false, action: { kind: 'table', table: 'default' } },
]

export const ruleFamily = (rule: DumpedRule): 4 | 6 | undefined =>
  ipFamily(rule.from?.split('/')[0] ?? '') ?? ipFamily(rule.to?.split('/')[0] ?? '')

export function parseIpRules(text: string): Parsed<DumpedRule[]> {
  return isJson(text) ? parseObjects(text, readObject) : parseLines(text, readLine)
}

type Fields = Readonly<Record<string, string | undefined>>

function build(priority: number | undefined, not: boolean, f: Fields): DumpedRule | undefined {
  const action = actionOf(f)
  if (priority === undefined || action === undefined) return undefined
  const [value, mask = f['fwmask']] = (f['fwmark'] ?? '').split('/')
  return defined({
    priority,
    not,
    from: rangeOf(f['from']),
    to: rangeOf(f['to']),
    incoming: f['iif'],
    outgoing: f['oif'],
    mark:
      f['fwmark'] === undefined
        ? undefined
        : { value: Number(value), mask: mask === undefined ? 0xffffffff : Number(mask) },
    protocol: f['ipproto'],
    sourcePort: f['sport'],
    destinationPort: f['dport'],
    action,
    suppressPrefix: f['suppress_prefixlength'] === undefined ? undefined : Number(f['suppress_prefixlength']),
  })
}

function actionOf(f: Fields): DumpedRule['action'] | undefined {
  if (f['lookup'] !== undefined) return { kind: 'table', table: f['lookup'] }
  if (f['goto'] !== undefined) return { kind: 'goto', priority: Number(f['goto']) }
  for (const kind of ['nop', 'unreachable', 'blackhole', 'prohibit'] as const)
    if (f[kind] !== undefined) return { kind }
  return undefined
}

function rangeOf(text: string | undefined): string | undefined {
  if (text === undefined || text === 'all') return undefined
  const cidr = parseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
  return cidr && formatCidr(cidr)
}

function readObject(object: JsonObject): DumpedRule | undefined {
  const range = (name: string) => {
    const [ip, length] = [textOf(object[name]), numberOf(object[`${name}len`])]
    return ip !== undefined && length !== undefined ? `${ip}/${length}` : ip
  }
  const port = (name: string) => {
    const [one, first, last] = [object[name], object[`${name}_start`], object[`${name}_end`]]
    return one !== undefined ? String(one) : first === undefined ? undefined : `${String(first)}-${String(last)}`
  }
  const action = textOf(object['action'])
  return build(numberOf(object['priority']), 'not' in object, {
    from: range('src'),
    to: range('dst'),
    iif: textOf(object['iif']),
    oif: textOf(object['oif']),
    fwmark: object['fwmark'] === undefined ? undefined : String(object['fwmark']),
    fwmask: object['fwmask'] === undefined ? undefined : String(object['fwmask']),
    ipproto: textOf(object['ipproto']),
    sport: port('sport'),
    dport: port('dport'),
    lookup: textOf(object['table']),
    goto: object['goto'] === undefined ? undefined : String(object['goto']),
    suppress_prefixlength:
      object['suppress_prefixlen'] === undefined ? undefined : String(object['suppress_prefixlen']),
    ...(action === undefined ? {} : { [action]: '' }),
    ...('nop' in object ? { nop: '' } : {}),
  })
}

const flagWords = new Set(['nop', 'unreachable', 'blackhole', 'prohibit', '[detached]', '[unresolved]'])

/** `100:	not from 10.0.0.0/24 fwmark 0x1/0xff iif eth0 lookup 100 suppress_prefixlength 0` */
function readLine(line: string): DumpedRule | undefined {
  const [, priority, rest = ''] = /^(\d+):\s+(.*)$/.exec(line) ?? []
  const words = wordsOf(rest)
  const not = words[0] === 'not'
  const pairs = readPairs(not ? words.slice(1) : words, flagWords)
  return priority === undefined || pairs === undefined
    ? undefined
    : build(Number(priority), not, Object.fromEntries(pairs))
}

/** As `ip rule` prints them. */
export function renderIpRules(rules: readonly DumpedRule[]): string {
  const hex = (value: number) => `0x${value.toString(16)}`
  return rules
    .map((rule) => {
      const { mark, action } = rule
      const words = [
        rule.not ? 'not' : '',
        `from ${rule.from ?? 'all'}`,
        rule.to === undefined ? '' : `to ${rule.to}`,
        mark === undefined ? '' : `fwmark ${hex(mark.value)}${mark.mask === 0xffffffff ? '' : `/${hex(mark.mask)}`}`,
        rule.incoming === undefined ? '' : `iif ${rule.incoming}`,
        rule.outgoing === undefined ? '' : `oif ${rule.outgoing}`,
        rule.protocol === undefined ? '' : `ipproto ${rule.protocol}`,
        rule.sourcePort === undefined ? '' : `sport ${rule.sourcePort}`,
        rule.destinationPort === undefined ? '' : `dport ${rule.destinationPort}`,
        action.kind === 'table'
          ? `lookup ${action.table}`
          : action.kind === 'goto'
            ? `goto ${action.priority}`
            : action.kind,
        rule.suppressPrefix === undefined ? '' : `suppress_prefixlength ${rule.suppressPrefix}`,
      ]
      return `${rule.priority}:\t${words.filter((word) => word !== '').join(' ')}\n`
    })
    .join('')
}
