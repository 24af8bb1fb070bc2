// loadBalancerSourceRanges: ranges that are none, and whom they leave out although nobody meant it.

import type { Service } from '#api/core.ts'
import { specOf } from '#api/service/traits.ts'
import { type Cidr, containsCidr, formatCidr, parseCidr } from '#lib/cidr.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { inNamespace, plural, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'

export const checkSourceRanges = (it: Case): readonly Finding[] =>
  servicesOf(it).flatMap((service) => [...ranges(service), ...ownLeftOut(it, service)])

function ranges(service: Service): readonly Finding[] {
  const spec = specOf(service)
  const list = spec.loadBalancerSourceRanges ?? []
  if (spec.type !== 'LoadBalancer' || list.length === 0) return []
  const bad = list.filter((text) => parseCidr(text.trim()) === undefined)
  const families = new Set(list.flatMap((text) => parseCidr(text.trim())?.base.length ?? []))
  const unreached = (service.status?.loadBalancer?.ingress ?? []).filter(
    ({ ip }) => ip !== undefined && families.size > 0 && !families.has(ip.includes(':') ? 16 : 4),
  )
  if (bad.length === 0 && unreached.length === 0) return []
  const key = keyOf(service)
  return [
    finding({
      code: 'SourceRangesUnfit',
      about: `svc/${key}`,
      services: [key],
      summary:
        bad.length > 0
          ? `loadBalancerSourceRanges of ${key} has what is no range: ${someOf(bad)}`
          : `loadBalancerSourceRanges of ${key} has no range of the family of ${someOf(unreached.map(({ ip }) => ip ?? ''))}`,
      evidence: [`service ${key}: loadBalancerSourceRanges: ${list.join(', ')}`],
      consequence:
        'who comes in is not whom the ranges were meant for: a family without a range is open to all, a wrong range lets nobody in',
      remedy: [`kubectl edit service ${inNamespace(key)}   # write ranges as 192.0.2.0/24, one for each family`],
    }),
  ]
}

/**
 * Packets of pods and nodes to a load balancer's address do not go round by it, and are held against the ranges all the
 * same (kubernetes#109575). Mostly that is meant: it is said of a Service that is asked about, or where rules have dropped.
 */
function ownLeftOut({ view, only }: Case, service: Service): readonly Finding[] {
  const spec = specOf(service)
  const ours = (spec.loadBalancerSourceRanges ?? []).flatMap((text) => parseCidr(text.trim()) ?? [])
  const ips = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip === undefined || ipMode === 'Proxy' ? [] : [ip],
  )
  if (spec.type !== 'LoadBalancer' || ours.length === 0 || ips.length === 0) return []
  const left = view.nodes
    .flatMap(({ name, podCidrs, ips: own }) => [
      ...podCidrs.map((range) => ({ who: `pods of ${name}`, range })),
      ...own.flatMap((ip) => {
        const range = parseCidr(`${ip}/${ip.includes(':') ? 128 : 32}`)
        return range === undefined ? [] : [{ who: name, range }]
      }),
    ])
    .filter(({ range }) => isShutOut(range, ours, ips))
  const drops = ips.flatMap((ip) => dropsOf(view, ip))
  if (left.length === 0 || (only === undefined && drops.length === 0)) return []
  const key = keyOf(service)
  return [
    finding({
      code: 'SourceRangesExclude',
      about: `svc/${key}`,
      services: [key],
      summary: `loadBalancerSourceRanges of ${key} leave out ${someOf(left.map(({ who }) => who))}`,
      evidence: [
        `service ${key}: loadBalancerSourceRanges: ${ours.map(formatCidr).join(', ')}`,
        ...left.slice(0, 2).map(({ who, range }) => `${who}: ${formatCidr(range)}`),
        ...drops.slice(0, 3),
      ],
      consequence: `100% of their connections to ${someOf(ips)} time out, as those of anybody else outside the ranges; its cluster IP is open to them`,
      remedy: [
        `kubectl patch service ${inNamespace(key)} --type=json -p '${JSON.stringify([{ op: 'replace', path: '/spec/loadBalancerSourceRanges', value: [...new Set([...ours, ...left.map(({ range }) => range)].map(formatCidr))] }])}'   # if they are meant to come in`,
      ],
    }),
  ]
}

const isShutOut = (range: Cidr, ours: readonly Cidr[], ips: readonly string[]): boolean =>
  ips.some((ip) => ip.includes(':') === (range.base.length === 16)) &&
  ours.some(({ base }) => base.length === range.base.length) &&
  !ours.some((one) => one.base.length === range.base.length && containsCidr(one, range))

/** Rules behind the ranges that have dropped something already. */
const dropsOf = ({ nodes }: View, ip: string): readonly string[] =>
  nodes.flatMap(({ name, machine }) =>
    machine.iptables.flatMap(({ rules }) =>
      (rules.get('filter')?.get('KUBE-PROXY-FIREWALL')?.rules ?? []).flatMap(({ destination, target, counters }) =>
        destination?.value.split('/')[0] === ip &&
        target?.kind === 'verdict' &&
        target.verdict === 'DROP' &&
        (counters?.packets ?? 0) > 0
          ? [`${name}: KUBE-PROXY-FIREWALL has dropped ${plural(counters!.packets, 'packet')} to ${ip}`]
          : [],
      ),
    ),
  )
