// A rule as iptables-save prints it, behind `-A CHAIN`.
import type { Masked, Match, Rule, Target, Test } from '#kernel/iptables/rule.ts'
import { quoteWord } from '#kernel/iptables/words.ts'

/** The words of a rule behind `-A CHAIN`, without a blank at either end. */
export function renderRule(rule: Rule): string {
  const words = [
    test('-s', rule.source),
    test('-d', rule.destination),
    test('-i', rule.inInterface),
    test('-o', rule.outInterface),
    test('-p', rule.protocol),
    rule.fragment === undefined ? '' : rule.fragment.not ? '! -f' : '-f',
    ...rule.matches.map(renderMatch),
    rule.target === undefined ? '' : renderTarget(rule.target),
  ]
  return words.filter((word) => word !== '').join(' ')
}

function renderMatch(match: Match): string {
  switch (match.kind) {
    case 'comment':
      return `-m comment --comment ${quoteWord(match.text)}`
    case 'ports':
      return join(`-m ${match.protocol}`, test('--sport', match.source), test('--dport', match.destination))
    case 'conntrack':
      return `-m conntrack ${negation(match.states)}--ctstate ${match.states.value.join(',')}`
    case 'mark':
      return `-m mark ${negation(match.mark)}--mark ${renderMasked(match.mark.value)}`
    case 'addrtype':
      return join('-m addrtype', test('--src-type', match.source), test('--dst-type', match.destination))
    case 'random':
      return `-m statistic --mode random ${negation(match.probability)}--probability ${match.probability.value.toFixed(11)}`
    case 'recent':
      return join(
        `-m recent ${negation(match.action)}--${match.action.value}`,
        match.seconds === undefined ? '' : `--seconds ${match.seconds}`,
        match.reap ? '--reap' : '',
        match.hitcount === undefined ? '' : `--hitcount ${match.hitcount}`,
        `--name ${match.name} --mask ${match.mask} --${match.side}`,
      )
    case 'nfacct':
      // iptables prints two blanks here
      return `-m nfacct --nfacct-name  ${match.name}`
    case 'set':
      return `-m set ${negation(match.name)}--match-set ${match.name.value} ${match.sides}`
    case 'other':
      return join(`-m ${match.name}`, match.words.map(quoteOption).join(' '))
  }
}

function renderTarget(target: Target): string {
  switch (target.kind) {
    case 'verdict':
      return `-j ${target.verdict}`
    case 'jump':
      return `-j ${target.chain}`
    case 'goto':
      return `-g ${target.chain}`
    case 'reject':
      return `-j REJECT --reject-with ${target.with}`
    case 'mark':
      return `-j MARK --set-xmark ${hex(target.mark.value)}/${hex(target.mark.mask)}`
    case 'masquerade':
      return join(
        '-j MASQUERADE',
        target.toPorts === undefined ? '' : `--to-ports ${target.toPorts}`,
        target.randomFully ? '--random-fully' : '',
      )
    case 'dnat':
      return join(
        `-j DNAT --to-destination ${target.to}`,
        target.random ? '--random' : '',
        target.persistent ? '--persistent' : '',
      )
    case 'snat':
      return join(
        `-j SNAT --to-source ${target.to}`,
        target.randomFully ? '--random-fully' : '',
        target.persistent ? '--persistent' : '',
      )
    case 'other':
      return join(`-j ${target.name}`, target.words.map(quoteOption).join(' '))
  }
}

const renderMasked = ({ value, mask }: Masked) => (mask === 0xffffffff ? hex(value) : `${hex(value)}/${hex(mask)}`)
const hex = (value: number) => `0x${value.toString(16)}`
const negation = (value: Test<unknown>) => (value.not ? '! ' : '')
const test = (option: string, value: Test | undefined) =>
  value === undefined ? '' : `${value.not ? '! ' : ''}${option} ${value.value}`
const join = (...words: readonly string[]) => words.filter((word) => word !== '').join(' ')

/** Words kept as they were: only those that would fall apart are quoted. */
const quoteOption = (word: string) => (word === '' || /[\s"\\]/.test(word) ? quoteWord(word) : word)
