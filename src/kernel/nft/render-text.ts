// A ruleset as `nft list ruleset` prints it, and `nft -f` takes it. parse-text.ts reads it back.

import {
  type Chain,
  type Element,
  type Expression,
  priorityText,
  type Rule,
  type Ruleset,
  type SetObject,
  type SetType,
  type Table,
} from '#kernel/nft/ast.ts'
import { typeOfExpression } from '#kernel/nft/expression-type.ts'
import { renderStatement, renderVerdict } from '#kernel/nft/render-statement.ts'

export const renderNft = ({ tables }: Ruleset): string => tables.map(renderTable).join('')

function renderTable(table: Table): string {
  const { family, name, comment, dormant, chains, sets, others } = table
  // nft leaves a line empty behind the flags, not behind a comment.
  const head = [
    ...(comment === undefined ? [] : [`\tcomment "${comment}"\n`]),
    ...(dormant ? ['\tflags dormant\n\n'] : []),
  ]
  const blocks = [
    ...(head.length > 0 ? [head.join('')] : []),
    ...others.map((text) => `\t${text.replaceAll('\n', '\n\t\t').replace(/\t}$/, '}')}\n`),
    ...sets.map(renderSet),
    ...chains.map((chain) => renderChain(chain, family)),
  ]
  const body = blocks.map((block, i) => (i === 0 || (i === 1 && head.length > 0) ? block : `\n${block}`)).join('')
  return `table ${family} ${name} {\n${body}}\n`
}

function renderSet(set: SetObject): string {
  const { name, comment, key, data, flags, timeoutMs, settings, elements } = set
  const word = [...key, ...(data === undefined || data === 'verdict' ? [] : data)].some(
    (type) => typeof type !== 'string',
  )
    ? 'typeof'
    : 'type'
  const types = (list: readonly SetType[]) =>
    list.map((type) => (typeof type === 'string' ? type : renderExpression(type))).join(' . ')
  const of = data === undefined ? '' : ` : ${data === 'verdict' ? data : types(data)}`
  const isFirst = (text: string) => text.startsWith('size ')
  const lines = [
    `${word} ${types(key)}${of}`,
    ...settings.filter(isFirst),
    ...(flags.length > 0 ? [`flags ${flags.join(',')}`] : []),
    ...(timeoutMs === undefined ? [] : [`timeout ${durationText(timeoutMs)}`]),
    ...settings.filter((text) => !isFirst(text)),
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
    ...(elements.length > 0 ? [`elements = { ${renderElements(elements, perLine(key))} }`] : []),
  ]
  return `\t${data === undefined ? 'set' : 'map'} ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
}

const fives = new Set(['inet_service', 'inet_proto', 'mark', 'integer', 'number'])

/** How many elements nft prints in a line. */
function perLine([type, ...more]: readonly SetType[]): number {
  if (type === undefined || more.length > 0) return 1
  const name = typeof type === 'string' ? type : (typeOfExpression(type, 'inet')?.name ?? '')
  return name === 'ipv4_addr' || name.startsWith('ct_') ? 2 : fives.has(name) ? 5 : 1
}

function renderElements(elements: readonly Element[], count: number): string {
  const lines = Array.from({ length: Math.ceil(elements.length / count) }, (_, i) =>
    elements
      .slice(i * count, (i + 1) * count)
      .map((element) => renderElement(element))
      .join(', '),
  )
  return lines.join(',\n\t\t\t     ')
}

function renderChain({ name, comment, base, rules }: Chain, family: string): string {
  const lines = [
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
    ...(base === undefined ? [] : [renderBase(base, family)]),
    ...rules.map(renderRule),
  ]
  return `\tchain ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
}

function renderBase(base: NonNullable<Chain['base']>, family: string): string {
  const { type, hook, device, moreDevices, priority, policy } = base
  const names = moreDevices && [device, ...moreDevices].map((name) => `"${name}"`).join(', ')
  const where = names !== undefined ? ` devices = { ${names} }` : device === undefined ? '' : ` device "${device}"`
  return `type ${type} hook ${hook}${where} priority ${priorityText(priority, family, hook)}; policy ${policy};`
}

export const renderRule = ({ statements, comment }: Rule): string =>
  [...statements.map(renderStatement), ...(comment === undefined ? [] : [`comment "${comment}"`])].join(' ')

/** `10.0.0.1 . 80 counter packets 0 bytes 0 timeout 1h comment "x" : goto chain`; a rule that adds one counts behind the time. */
export function renderElement({ key, data, timeoutMs, expiresMs, comment, words }: Element, isOfRule = false): string {
  const value = data === undefined ? '' : ` : ${isVerdict(data) ? renderVerdict(data) : renderExpression(data)}`
  return [
    renderExpression(key),
    ...(words === undefined || isOfRule ? [] : [words]),
    ...(timeoutMs === undefined ? [] : [`timeout ${durationText(timeoutMs)}`]),
    ...(words === undefined || !isOfRule ? [] : [words]),
    ...(expiresMs === undefined ? [] : [`expires ${durationText(expiresMs)}`]),
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
  ]
    .join(' ')
    .concat(value)
}

const verdicts = new Set(['accept', 'drop', 'continue', 'return', 'break', 'queue', 'jump', 'goto'])
const isVerdict = (data: NonNullable<Element['data']>): data is Exclude<typeof data, Expression> =>
  verdicts.has(data.kind)

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** `1d2h3m4s5ms` */
export function durationText(durationMs: number): string {
  let rest = durationMs
  let text = ''
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text === '' ? '0s' : text
}

/** Keys that nft prints without `meta`. */
const bareKeys = new Set(['iif', 'iifname', 'iifgroup', 'oif', 'oifname', 'oifgroup'])

export function renderExpression(one: Expression): string {
  switch (one.kind) {
    case 'payload':
      return `${one.protocol} ${one.field}`
    case 'raw':
      return `@${one.base},${one.offset},${one.length}`
    case 'meta':
      return bareKeys.has(one.key) ? one.key : `meta ${one.key}`
    case 'ct':
      return ['ct', one.direction, one.family, one.key].filter((word) => word !== undefined).join(' ')
    case 'fib':
      return `fib ${one.flags.join(' . ')} ${one.result}`
    case 'numgen':
      return `numgen ${one.random ? 'random' : 'inc'} mod ${one.mod}${one.offset === 0 ? '' : ` offset ${one.offset}`}`
    case 'hash': {
      const of = one.of === undefined ? 'symhash' : `jhash ${renderExpression(one.of)}`
      const seed = one.seed === undefined ? '' : ` seed 0x${one.seed.toString(16)}`
      return `${of} mod ${one.mod}${seed}${one.offset === 0 ? '' : ` offset ${one.offset}`}`
    }
    case 'concat':
      return one.parts.map(renderExpression).join(' . ')
    case 'binary':
      return `${renderExpression(one.left)} ${one.op} ${inBrackets(one.right)}`
    case 'map':
      return `${renderExpression(one.key)} map ${renderExpression(one.to)}`
    case 'prefix':
      return `${renderExpression(one.base)}/${one.length}`
    case 'range':
      return `${renderExpression(one.first)}-${renderExpression(one.last)}`
    case 'flags':
      return one.items.map(renderExpression).join(',')
    case 'set':
      return `{ ${one.elements.map((element) => renderElement(element)).join(', ')} }`
    case 'named':
      return `@${one.set}`
    case 'quoted':
      return `"${one.text}"`
    case 'value':
    case 'other':
      return one.text
  }
}

function inBrackets(one: Expression): string {
  if (one.kind === 'flags') return `(${one.items.map(renderExpression).join(' | ')})`
  return one.kind === 'binary' ? `(${renderExpression(one)})` : renderExpression(one)
}
