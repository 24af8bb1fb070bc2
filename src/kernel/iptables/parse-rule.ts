// Reads a rule as iptables-save prints it. A match or target that it does not know, or that carries an option it does
// not know, is kept word for word.
import type { Masked, Match, Rule, Target, Test } from '#kernel/iptables/rule.ts'
import { splitWords } from '#kernel/iptables/words.ts'

type Draft = { -readonly [K in keyof Rule]: Rule[K] } & { matches: Match[] }

/**
 * The rule behind `-A CHAIN`. `isChain` tells a chain from a target of the kernel that takes no options (as NOTRACK);
 * without it every unknown name is taken for a chain. Undefined where the line is not a rule.
 */
export function parseRule(text: string, isChain: (name: string) => boolean = () => true): Rule | undefined {
  const words = splitWords(text)
  const rule: Draft = { matches: [] }
  let at = 0
  while (at < words.length) {
    const not = words[at] === '!'
    if (not) at++
    const option = words[at++]
    if (option === '-m') {
      const end = endOfOptions(words, at + 1)
      rule.matches.push(parseMatch(words[at] ?? '', words.slice(at + 1, end)))
      at = end
    } else if (option === '-j' || option === '-g') {
      const name = words[at]
      if (name === undefined) return undefined
      const rest = words.slice(at + 1)
      rule.target = option === '-g' ? { kind: 'goto', chain: name } : parseTarget(name, rest, isChain)
      return rule
    } else if (option === '-f') rule.fragment = { value: true, ...(not && { not }) }
    else {
      const field = fields[option ?? '']
      const value = words[at++]
      if (field === undefined || value === undefined) return undefined
      rule[field] = tested(value, not)
    }
  }
  return rule
}

const fields: Record<string, 'source' | 'destination' | 'inInterface' | 'outInterface' | 'protocol'> = {
  '-s': 'source',
  '-d': 'destination',
  '-i': 'inInterface',
  '-o': 'outInterface',
  '-p': 'protocol',
}

/** The options of a match end where the next match or the target begins. */
function endOfOptions(words: readonly string[], from: number): number {
  let at = from
  while (at < words.length && words[at] !== '-m' && words[at] !== '-j' && words[at] !== '-g') at++
  return at
}

/** Options by name, with the words behind them; undefined where a word comes before any option or one comes twice. */
function readOptions(words: readonly string[]): Map<string, Test<readonly string[]>> | undefined {
  const options = new Map<string, Test<readonly string[]>>()
  let values: string[] | undefined
  let not = false
  for (const word of words) {
    if (word === '!') not = true
    else if (word.startsWith('--')) {
      if (options.has(word)) return undefined
      values = []
      options.set(word, not ? { value: values, not } : { value: values })
      not = false
    } else if (values === undefined || not) return undefined
    else values.push(word)
  }
  return options
}

function parseMatch(name: string, words: readonly string[]): Match {
  const options = readOptions(words)
  const known = options && matchReaders[name]?.(options, name)
  return known && options.size === 0 ? known : { kind: 'other', name, words }
}

type Options = Map<string, Test<readonly string[]>>

/** Each takes out the options that it understands; what is left over makes the match an unknown one. */
const matchReaders: Record<string, (options: Options, name: string) => Match | undefined> = {
  comment: (options) => {
    const text = take(options, '--comment')
    return text && !text.not ? { kind: 'comment', text: text.value } : undefined
  },
  tcp: readPorts,
  udp: readPorts,
  sctp: readPorts,
  conntrack: (options) => {
    const states = take(options, '--ctstate')
    return states && { kind: 'conntrack', states: { ...states, value: states.value.split(',') } }
  },
  mark: (options) => {
    const mark = take(options, '--mark')
    return mark && { kind: 'mark', mark: { ...mark, value: parseMasked(mark.value) } }
  },
  addrtype: (options) => {
    const source = take(options, '--src-type')
    const destination = take(options, '--dst-type')
    return { kind: 'addrtype', ...(source && { source }), ...(destination && { destination }) }
  },
  statistic: (options) => {
    if (take(options, '--mode')?.value !== 'random') return undefined
    const probability = take(options, '--probability')
    if (probability === undefined || !/^(0(\.\d+)?|1(\.0+)?)$/.test(probability.value)) return undefined
    return { kind: 'random', probability: { ...probability, value: Number(probability.value) } }
  },
  recent: readRecent,
  nfacct: (options) => {
    const name = take(options, '--nfacct-name')
    return name && !name.not ? { kind: 'nfacct', name: name.value } : undefined
  },
  set: (options) => {
    const set = options.get('--match-set')
    options.delete('--match-set')
    const [name, sides, ...more] = set?.value ?? []
    if (set === undefined || name === undefined || sides === undefined || more.length > 0) return undefined
    return { kind: 'set', name: tested(name, set.not === true), sides }
  },
}

function readPorts(options: Options, name: string): Match {
  const source = take(options, '--sport')
  const destination = take(options, '--dport')
  const protocol = name as 'tcp' | 'udp' | 'sctp'
  return { kind: 'ports', protocol, ...(source && { source }), ...(destination && { destination }) }
}

function readRecent(options: Options): Match | undefined {
  const action = (['set', 'rcheck', 'update', 'remove'] as const).find((word) => options.has(`--${word}`))
  if (action === undefined) return undefined
  const not = options.get(`--${action}`)?.not === true
  const seconds = takeNumber(options, '--seconds')
  const hitcount = takeNumber(options, '--hitcount')
  const name = take(options, '--name')?.value
  const mask = take(options, '--mask')?.value
  const side = options.has('--rdest') ? 'rdest' : 'rsource'
  const reap = options.has('--reap')
  for (const flag of [`--${action}`, `--${side}`, '--reap'])
    if (options.get(flag)?.value.length === 0) options.delete(flag)
  if (name === undefined || mask === undefined) return undefined
  return {
    kind: 'recent',
    action: not ? { value: action, not } : { value: action },
    ...(seconds !== undefined && { seconds }),
    ...(hitcount !== undefined && { hitcount }),
    ...(reap && { reap }),
    name,
    mask,
    side,
  }
}

function parseTarget(name: string, words: readonly string[], isChain: (name: string) => boolean): Target {
  if (name === 'ACCEPT' || name === 'DROP' || name === 'RETURN') return { kind: 'verdict', verdict: name }
  const other: Target = { kind: 'other', name, words }
  const read = targetReaders[name]
  if (read === undefined) return words.length === 0 && isChain(name) ? { kind: 'jump', chain: name } : other
  const options = readOptions(words)
  const known = options && read(options)
  return known && options.size === 0 ? known : other
}

const targetReaders: Record<string, (options: Options) => Target | undefined> = {
  REJECT: (options) => {
    const answer = take(options, '--reject-with')
    return answer && { kind: 'reject', with: answer.value }
  },
  MARK: (options) => {
    const mark = take(options, '--set-xmark')
    return mark && { kind: 'mark', mark: parseMasked(mark.value) }
  },
  MASQUERADE: (options) => {
    const toPorts = take(options, '--to-ports')?.value
    return { kind: 'masquerade', ...(toPorts !== undefined && { toPorts }), ...takeFlag(options, 'randomFully') }
  },
  DNAT: (options) => {
    const to = take(options, '--to-destination')?.value
    if (to === undefined) return undefined
    return { kind: 'dnat', to, ...takeFlag(options, 'random'), ...takeFlag(options, 'persistent') }
  },
  SNAT: (options) => {
    const to = take(options, '--to-source')?.value
    if (to === undefined) return undefined
    return { kind: 'snat', to, ...takeFlag(options, 'randomFully'), ...takeFlag(options, 'persistent') }
  },
}

const tested = (value: string, not: boolean): Test => (not ? { value, not } : { value })

/** Takes out an option that has exactly one word behind it. */
function take(options: Options, name: string): Test | undefined {
  const option = options.get(name)
  if (option === undefined || option.value.length !== 1) return undefined
  options.delete(name)
  return tested(option.value[0]!, option.not === true)
}

function takeNumber(options: Options, name: string): number | undefined {
  const value = take(options, name)?.value
  return value === undefined ? undefined : Number(value)
}

const flagOptions = { random: '--random', randomFully: '--random-fully', persistent: '--persistent' } as const
function takeFlag<F extends keyof typeof flagOptions>(options: Options, flag: F): { readonly [K in F]?: true } {
  const option = options.get(flagOptions[flag])
  if (option === undefined || option.not || option.value.length > 0) return {}
  options.delete(flagOptions[flag])
  return { [flag]: true } as { readonly [K in F]?: true }
}

function parseMasked(text: string): Masked {
  const [value, mask] = text.split('/')
  return { value: Number(value), mask: mask === undefined ? 0xffffffff : Number(mask) }
}
