// Differences as findings: one for each Service and kind of fault, over all nodes that have it.

import type { Code } from '#doctor/codes.ts'
import { restart } from '#doctor/remedy.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { Difference } from '#doctor/compare/difference.ts'
import { decidingStep, isProxyStep, renderStep } from '#doctor/compare/owner.ts'
import { codeOfEnding, deletionsOf, remedyOfEnding, sharedCodes, summaryOfEnding } from '#doctor/compare/ending.ts'
import type { Step } from '#trace/way.ts'
import { askers, nameOfFront, percentOf, plural, someOf } from '#doctor/compare/words.ts'

/** `bare`: nodes that have no rules at all, about which something else is said. */
export function classify(differences: readonly Difference[], bare: ReadonlySet<string>): Finding[] {
  const groups = new Map<string, { readonly code: Code; readonly key: string; readonly items: Difference[] }>()
  for (const item of differences) {
    if (bare.has(item.node) && item.kind !== 'stale') continue
    const code = codeOf(item)
    // A rule of a firewall, and a setting of a node, hit every Service alike.
    const key = isShared(code) ? `${item.node} ${stepText(item)}` : item.front.service
    const group = groups.get(`${code} ${key}`) ?? { code, key, items: [] }
    group.items.push(item)
    groups.set(`${code} ${key}`, group)
  }
  return merge([...groups.values()]).map(({ code, items }) => toFinding(code, items))
}

const isShared = (code: Code) => sharedCodes.includes(code)

type Group = { readonly code: Code; readonly items: readonly Difference[] }
/** More Services than these with one fault on the same nodes are one finding. */
const mostAlike = 5

function merge(groups: readonly Group[]): readonly Group[] {
  const alike = new Map<string, Group[]>()
  for (const group of groups) {
    const key = isShared(group.code)
      ? `${group.code} ${stepText(group.items[0]!).replace(/^\S+: /, '')}`
      : `${group.code} ${nodesOf(group.items).join()}`
    alike.set(key, [...(alike.get(key) ?? []), group])
  }
  return [...alike.values()].flatMap((list) =>
    list.length > mostAlike || isShared(list[0]!.code)
      ? [{ code: list[0]!.code, items: list.flatMap(({ items }) => items) }]
      : list,
  )
}

const nodesOf = (items: readonly Difference[]) => [...new Set(items.map(({ node }) => node))].toSorted()
const stepText = (item: Difference): string => {
  const step = decidingOf(item)
  return step === undefined ? '' : renderStep(step)
}

const decidingOf = ({ kind, steps }: Difference) =>
  decidingStep(
    steps,
    kind === 'stale' || kind === 'left-out' || kind === 'uneven' ? /destination becomes|IPVS|real server/ : undefined,
  )

function codeOf(item: Difference): Code {
  const step = decidingOf(item)
  const isProxys = step !== undefined && isProxyStep(step)
  switch (item.kind) {
    case 'missing':
      return 'RulesMissing'
    case 'stale':
      return step === undefined || isProxys ? 'StaleEndpoint' : 'ForeignRule'
    case 'left-out':
      return 'EndpointMissing'
    case 'uneven':
      return 'UnevenShares'
    case 'let-in':
      return 'SourceRangesOpen'
    case 'unrefused':
      return 'NoRefusal'
    case 'source-lost':
      return 'SourceLost'
    case 'source-kept':
      return 'NotMasqueraded'
    case 'refused':
    case 'dropped':
      return isProxys ? 'StaleRefusal' : codeOfEnding(step ?? { effect: '', place: '' })
  }
}

function toFinding(code: Code, items: readonly Difference[]): Finding {
  const nodes = nodesOf(items)
  const services = [...new Set(items.map(({ front }) => front.service))].toSorted()
  const [first] = items
  const about = isShared(code)
    ? nodes.length === 1
      ? `node/${nodes[0]}`
      : 'cluster'
    : services.length === 1
      ? `svc/${services[0]}`
      : nodes.length === 1
        ? `node/${nodes[0]}`
        : 'cluster'
  const facts: Facts = {
    who: `${askers(first!)} that come to ${someOf(nodes)}`,
    what:
      services.length === 1
        ? someOf(items.map(({ front }) => nameOfFront(front)))
        : `${plural(services.length, 'Service')} (${someOf(services)})`,
    share: percentOf(Math.max(...items.map(({ share }) => share))),
    targets: someOf(items.flatMap(({ targets }) => targets)),
    nodes,
    steps: items.flatMap((item) => decidingOf(item) ?? []),
  }
  return finding({
    code,
    about,
    services: isShared(code) ? [] : services,
    nodes,
    ...texts(code, facts),
    evidence: [...new Set(items.map(evidenceOf))].slice(0, 5),
    restsOn: [...new Set(items.flatMap(({ missing }) => missing))],
  })
}

const evidenceOf = (item: Difference): string => {
  const text = stepText(item)
  return text === '' ? `${item.node}: ${nameOfFront(item.front)} of ${item.front.service}: no rule takes it up` : text
}

type Facts = {
  readonly who: string
  readonly what: string
  readonly share: string
  readonly targets: string
  readonly nodes: readonly string[]
  /** those that decided */
  readonly steps: readonly Step[]
}

function texts(
  code: Code,
  { who, what, share, targets, nodes, steps }: Facts,
): Pick<Finding, 'summary' | 'consequence' | 'remedy'> {
  const where = someOf(nodes)
  switch (code) {
    case 'RulesMissing':
      return {
        summary: `${where}: no rule for ${what}`,
        consequence: `${share} of new connections of ${who} wait in vain: nothing gives them an endpoint`,
        remedy: restart('proxy', nodes),
      }
    case 'StaleEndpoint':
      return {
        summary: `${where}: rules lead to ${targets}, which should not get connections to ${what}`,
        consequence: `${share} of new connections of ${who} go to ${targets}: refused, timed out, or answered by somebody else`,
        remedy: restart('proxy', nodes),
      }
    case 'ForeignRule':
      return {
        summary: `${where}: a rule that is no proxy's sends connections to ${what} to ${targets}`,
        consequence: `${share} of new connections of ${who} go to ${targets}, whatever the EndpointSlices say`,
        remedy: deletionsOf(steps, 'by the program that made it, or it comes back'),
      }
    case 'EndpointMissing':
      return {
        summary: `${where}: the rules for ${what} leave out ${targets}`,
        consequence: `${targets} get nothing of ${who}; the other endpoints carry their load`,
        remedy: restart('proxy', nodes),
      }
    case 'StaleRefusal':
      return {
        summary: `${where}: the proxy's rules refuse ${what}, which has endpoints`,
        consequence: `${share} of new connections of ${who} fail`,
        remedy: restart('proxy', nodes),
      }
    case 'UnevenShares':
      return {
        summary: `${where}: endpoints of ${what} do not get equal shares`,
        consequence: `${targets} get up to ${share} of new connections of ${who}`,
        remedy: restart('proxy', nodes),
      }
    case 'SourceRangesOpen':
      return {
        summary: `${where}: the rules let anybody in at ${what}, whatever its loadBalancerSourceRanges say`,
        consequence: `${share} of connections of ${who} from outside the ranges reach ${targets}`,
        remedy: restart('proxy', nodes),
      }
    case 'NoRefusal':
      return {
        summary: `${where}: nothing refuses connections to ${what}, behind which nobody is`,
        consequence: `${who} wait until they time out, and do not hear at once that nobody is there`,
        remedy: restart('proxy', nodes),
      }
    case 'SourceLost':
      return {
        summary: `${where}: connections to ${what} get the node's address where the client's should be kept`,
        consequence: `${targets} see the node instead of the client in ${share} of connections of ${who}: logs, access lists and NetworkPolicies by address are wrong`,
        remedy: [
          'kubectl get nodes -o custom-columns=NODE:.metadata.name,PODS:.spec.podCIDRs   # what clusterCIDR of the proxy has to hold',
          ...restart('proxy', nodes),
        ],
      }
    case 'NotMasqueraded':
      return {
        summary: `${where}: connections to ${what} keep the client's address where they need the node's`,
        consequence: `${share} of new connections of ${who} may wait in vain: an endpoint on another node answers past this one`,
        remedy: restart('proxy', nodes),
      }
    default:
      return {
        summary: summaryOfEnding(code, where),
        consequence: `${share} of new connections of ${who} to ${what} fail`,
        remedy: remedyOfEnding(code, nodes, steps),
      }
  }
}
