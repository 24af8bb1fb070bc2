// Whose rule it is: a proxy's, by the names that proxies give, or somebody else's.

import type { Step } from '#trace/way.ts'

const proxyChain = /^(KUBE-|cali-|CILIUM|ANTREA|FAIRWAY)/
const proxyTable = /\b(fairway-proxy|fairway-ipvs|kube-proxy)\b/

export const isProxyStep = ({ chain, place, rule, effect }: Step): boolean =>
  (chain !== undefined && proxyChain.test(chain)) ||
  proxyTable.test(place) ||
  place.startsWith('IPVS') ||
  (rule !== undefined && /-j KUBE-/.test(rule)) ||
  effect.startsWith('refused: no real server')

/** The step that decided: the last that changed the packet or ended its way. */
export const decidingStep = (steps: readonly Step[], what?: RegExp): Step | undefined =>
  steps.findLast(({ weight, effect }) => weight === 'act' && (what === undefined || what.test(effect)))

/** `node-1: nat prerouting  -A KUBE-SEP-... (rules.txt:12)` */
export function renderStep({ machine, place, chain, rule, origin, effect }: Step): string {
  const where = origin === undefined || origin.line === 0 ? '' : ` (${origin.file}:${origin.line})`
  const what = rule ?? effect
  return `${machine}: ${place}${chain !== undefined && rule?.includes(chain) !== true ? ` ${chain}` : ''}: ${what}${where}`
}
