// Statements as `nft list ruleset` prints them.

import type { Expression, Statement } from '#kernel/nft/ast.ts'
import { renderElement, renderExpression } from '#kernel/nft/render-text.ts'
import type { NftVerdict } from '#kernel/nftables/ruleset.ts'

export const renderVerdict = (verdict: NftVerdict): string =>
  verdict.kind === 'jump' || verdict.kind === 'goto' ? `${verdict.kind} ${verdict.chain}` : verdict.kind

type Of<K extends Statement['kind']> = Extract<Statement, { readonly kind: K }>

export function renderStatement(one: Statement): string {
  switch (one.kind) {
    case 'match':
      return renderMatch(one)
    case 'verdict':
      return wordsOf(renderVerdict(one.verdict), one.words)
    case 'vmap':
      return `${renderExpression(one.key)} vmap ${renderExpression(one.to)}`
    case 'nat':
      return wordsOf(one.type, one.family, one.form, `to ${renderTarget(one)}`, flagsOf(one))
    case 'masquerade':
    case 'redirect':
      return wordsOf(one.kind, one.port && `to :${renderExpression(one.port)}`, flagsOf(one))
    case 'reject':
      return one.with === undefined ? 'reject' : wordsOf('reject with', one.with, one.code)
    case 'assign':
      return `${renderExpression(one.to)} set ${renderExpression(one.value)}`
    case 'change-set':
      return `${one.act} @${one.set} { ${renderElement(one.element, true)} }`
    case 'counter':
      return one.name === undefined
        ? `counter packets ${one.packets} bytes ${one.bytes}`
        : `counter name ${one.name.startsWith('"') ? one.name : `"${one.name}"`}`
    case 'limit':
      return renderLimit(one)
    case 'log':
      return wordsOf('log', one.prefix === '' ? undefined : `prefix "${one.prefix}"`, one.words)
    case 'notrack':
      return 'notrack'
    case 'xt':
      return `xt ${one.of} "${one.name}"`
    case 'other':
      return one.text
  }
}

const wordsOf = (...words: readonly (string | undefined)[]): string =>
  words.filter((word) => word !== undefined && word !== '').join(' ')

const flagsOf = ({ flags }: { readonly flags: readonly string[] }): string => flags.join(',')

function renderMatch({ left, op, right, isSlash }: Of<'match'>): string {
  if (isSlash === true && left.kind === 'binary') {
    const not = op === '!=' ? '!= ' : ''
    return `${renderExpression(left.left)} ${not}${renderExpression(right)} / ${renderExpression(left.right)}`
  }
  const sign = op === 'implicit' ? '' : `${op} `
  return `${renderExpression(left)} ${sign}${renderExpression(right)}`
}

/** `10.0.0.5:8080`, `[fd00::5]:8080`, `:80`, `ip daddr map @endpoints` */
function renderTarget({ address, port }: Of<'nat'>): string {
  if (port === undefined) return address === undefined ? '' : renderExpression(address)
  const text = address === undefined ? '' : renderExpression(address)
  const isPlain = address === undefined || plainKinds.has(address.kind)
  if (!isPlain) return `${text} : ${renderExpression(port)}`
  return `${text.includes(':') ? `[${text}]` : text}:${renderExpression(port)}`
}
const plainKinds: ReadonlySet<Expression['kind']> = new Set(['value', 'range'])

function renderLimit({ over, rate, per, unit, burst, burstUnit }: Of<'limit'>): string {
  const amount = unit === undefined ? `${rate}/${per}` : `${rate} ${unit}/${per}`
  const more = burstUnit === undefined ? '' : `burst ${burst} ${burstUnit}`
  return wordsOf('limit rate', over ? 'over' : undefined, amount, more)
}
