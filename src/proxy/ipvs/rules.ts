// The iptables rules of IPVS mode: their number does not depend on the number of Services. Chains, order and comments are
// kube-proxy's of 1.36; a rule that looks into a set is there only while the set has members.
import type { Jump, Table } from '#proxy/iptables/frame.ts'
import { comment, host, localInterface, localSource } from '#proxy/iptables/rule-text.ts'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import type { Blocked } from '#proxy/ipvs/port-parts.ts'
import { setComment, type SetKey, setName } from '#proxy/ipvs/sets.ts'

export type RulesInput = Pick<IpvsOptions, 'family' | 'masqueradeMark' | 'masqueradeAll' | 'local'> & {
  /** iptables knows `--random-fully` */
  readonly randomFully: boolean
  readonly isEmpty: (set: SetKey) => boolean
  readonly blocked: readonly Blocked[]
}

/** A chain with what stands behind `-A CHAIN ` in each of its rules. */
export type ChainRules = { readonly table: 'filter' | 'nat'; readonly chain: string; readonly rules: readonly string[] }

const jump = (table: Table, from: string, to: string, text: string): Jump => ({
  table,
  from,
  to,
  rule: `${comment(text)} -j ${to}`,
})

/** Each is put in front of all others, the first of this list at last. */
export const ipvsJumps: readonly Jump[] = [
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', 'kubernetes service portals'),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('filter', 'INPUT', 'KUBE-NODE-PORT', 'kubernetes health check rules'),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', 'kube-proxy firewall rules'),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', 'kube-proxy firewall rules'),
  jump('filter', 'INPUT', 'KUBE-IPVS-FILTER', 'kubernetes ipvs access filter'),
  jump('filter', 'OUTPUT', 'KUBE-IPVS-OUT-FILTER', 'kubernetes ipvs access filter'),
]

/** Our chains by table; iptables mode has some of the same names. */
export const ipvsChains = {
  filter: [
    'KUBE-FORWARD',
    'KUBE-NODE-PORT',
    'KUBE-PROXY-FIREWALL',
    'KUBE-SOURCE-RANGES-FIREWALL',
    'KUBE-IPVS-FILTER',
    'KUBE-IPVS-OUT-FILTER',
  ],
  nat: ['KUBE-SERVICES', 'KUBE-POSTROUTING', 'KUBE-NODE-PORT', 'KUBE-LOAD-BALANCER', 'KUBE-MARK-MASQ'],
} as const

export function ipvsRules(input: RulesInput): readonly ChainRules[] {
  const { family, masqueradeMark, randomFully } = input
  const mark = `0x${masqueradeMark.toString(16)}`
  const masquerade = `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE`
  const rule = setRules(input)
  return [
    { table: 'nat', chain: 'KUBE-SERVICES', rules: serviceRules(input) },
    {
      table: 'nat',
      chain: 'KUBE-POSTROUTING',
      rules: [
        ...rule('LOOP-BACK', 'dst,dst,src', 'MASQUERADE'),
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        `-j MARK --set-xmark ${mark}/0x0`,
        randomFully ? `${masquerade} --random-fully` : masquerade,
      ],
    },
    {
      table: 'nat',
      chain: 'KUBE-NODE-PORT',
      rules: (['TCP', 'UDP', 'SCTP'] as const).flatMap((name) => {
        const [suffix, match] = name === 'SCTP' ? (['SCTP-HASH', 'dst,dst'] as const) : ([name, 'dst'] as const)
        const protocol = `-p ${name.toLowerCase()} `
        return [
          ...rule(`NODE-PORT-LOCAL-${suffix}`, match, 'RETURN', protocol),
          ...rule(`NODE-PORT-${suffix}`, match, 'KUBE-MARK-MASQ', protocol),
        ]
      }),
    },
    {
      table: 'nat',
      chain: 'KUBE-LOAD-BALANCER',
      rules: [...rule('LOAD-BALANCER-LOCAL', 'dst,dst', 'RETURN'), '-j KUBE-MARK-MASQ'],
    },
    { table: 'nat', chain: 'KUBE-MARK-MASQ', rules: [`-j MARK --set-xmark ${mark}/${mark}`] },
    {
      table: 'filter',
      chain: 'KUBE-FORWARD',
      rules: [
        `${comment('kubernetes forwarding rules')} -m mark --mark ${mark}/${mark} -j ACCEPT`,
        `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      ],
    },
    {
      table: 'filter',
      chain: 'KUBE-NODE-PORT',
      rules: [
        `${comment(setComment('HEALTH-CHECK-NODE-PORT'))} ${matchSet('HEALTH-CHECK-NODE-PORT', 'dst', family)} -j ACCEPT`,
      ],
    },
    {
      table: 'filter',
      chain: 'KUBE-PROXY-FIREWALL',
      rules: rule('LOAD-BALANCER-FW', 'dst,dst', 'KUBE-SOURCE-RANGES-FIREWALL'),
    },
    {
      table: 'filter',
      chain: 'KUBE-SOURCE-RANGES-FIREWALL',
      rules: [
        ...rule('LOAD-BALANCER-SOURCE-CIDR', 'dst,dst,src', 'RETURN'),
        ...rule('LOAD-BALANCER-SOURCE-IP', 'dst,dst,src', 'RETURN'),
        '-j DROP',
      ],
    },
    { table: 'filter', chain: 'KUBE-IPVS-FILTER', rules: filterRules(family) },
    { table: 'filter', chain: 'KUBE-IPVS-OUT-FILTER', rules: input.blocked.map(blockedRule) },
  ]
}

const matchSet = (set: SetKey, match: string, family: 4 | 6) => `-m set --match-set ${setName(set, family)} ${match}`

/** A rule for a set with its comment, while it has members. */
const setRules =
  ({ family, isEmpty }: RulesInput) =>
  (set: SetKey, match: string, to: string, protocol = ''): string[] =>
    isEmpty(set) ? [] : [`${protocol}${comment(setComment(set))} ${matchSet(set, match, family)} -j ${to}`]

function serviceRules(input: RulesInput): string[] {
  const { family, isEmpty } = input
  const accepted = (['CLUSTER-IP', 'LOAD-BALANCER'] as const).filter((set) => !isEmpty(set))
  return [
    // The machine's own loopback is nothing of ours.
    `-s ${family === 4 ? '127.0.0.0/8' : '::1/128'} -j RETURN`,
    ...setRules(input)('LOAD-BALANCER', 'dst,dst', 'KUBE-LOAD-BALANCER'),
    ...(isEmpty('CLUSTER-IP') ? [] : [clusterIpRule(input)]),
    ...externalRules('EXTERNAL-IP', input),
    ...externalRules('EXTERNAL-IP-LOCAL', input),
    '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
    ...accepted.map((set) => `${matchSet(set, 'dst,dst', family)} -j ACCEPT`),
  ]
}

/**
 * What comes from elsewhere has to come back the same way. Where pods cannot be told from others, only the node's own
 * packets are masqueraded: their source is an address of kube-ipvs0, the Service's own.
 */
function clusterIpRule({ family, masqueradeAll, local }: RulesInput): string {
  const why = comment(setComment('CLUSTER-IP'))
  const [source, link] = masqueradeAll ? ['', ''] : [localSource(local, '! '), localInterface(local, '! ')]
  const match = !masqueradeAll && local.kind === 'none' ? 'src,dst' : 'dst,dst'
  return `${source}${link}${why} ${matchSet('CLUSTER-IP', match, family)} -j KUBE-MARK-MASQ`
}

/** Packets from pods and from the node to an external IP that the node does not have go out to whoever has it. */
function externalRules(set: 'EXTERNAL-IP' | 'EXTERNAL-IP-LOCAL', input: RulesInput): string[] {
  if (input.isEmpty(set)) return []
  const match = `${comment(setComment(set))} ${matchSet(set, 'dst,dst', input.family)}`
  return [
    ...(set === 'EXTERNAL-IP' ? [`${match} -j KUBE-MARK-MASQ`] : []),
    `${match} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT`,
    `${match} -m addrtype --dst-type LOCAL -j ACCEPT`,
  ]
}

/** kube-ipvs0 makes every Service's address one of the node: what listens on the node must not be reached by it. */
function filterRules(family: 4 | 6): string[] {
  const known = (['LOAD-BALANCER', 'CLUSTER-IP', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL'] as const).map(
    (set) => `${matchSet(set, 'dst,dst', family)} -j RETURN`,
  )
  const reject = `REJECT --reject-with ${family === 4 ? 'icmp' : 'icmp6'}-port-unreachable`
  return [
    ...known,
    `${matchSet('HEALTH-CHECK-NODE-PORT', 'dst', family)} -j RETURN`,
    `-m conntrack --ctstate NEW ${matchSet('IPVS-IPS', 'dst', family)} -j ${reject}`,
  ]
}

const blockedRule = ({ address, protocol, port }: Blocked) =>
  `-s ${host(address)} -m ipvs --vproto ${protocolNumbers[protocol]} --vaddr ${address} --vport ${port} -j DROP`
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const
