// The chains that stand whether or not there is a Service, and the jumps to them from the built-in chains.
import { invalidDroppedCounter, type RenderOptions } from '#proxy/iptables/render-options.ts'
import { comment, host } from '#proxy/iptables/rule-text.ts'

export type Table = 'filter' | 'nat' | 'mangle'

/** A jump out of a built-in chain. Ours are put in front of all others, the first of this list at last. */
export type Jump = { readonly table: Table; readonly from: string; readonly to: string; readonly rule: string }

const jump = (table: Table, from: string, to: string, text: string, isNew = false): Jump => {
  const state = isNew ? '-m conntrack --ctstate NEW ' : ''
  return { table, from, to, rule: `${state}${text === '' ? '' : `${comment(text)} `}-j ${to}` }
}
const portals = 'kubernetes service portals'
const externals = 'kubernetes externally-visible service portals'
const firewall = 'kubernetes load balancer firewall'

export const jumps: readonly Jump[] = [
  jump('filter', 'INPUT', 'KUBE-EXTERNAL-SERVICES', externals, true),
  jump('filter', 'FORWARD', 'KUBE-EXTERNAL-SERVICES', externals, true),
  jump('filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports'),
  jump('filter', 'FORWARD', 'KUBE-SERVICES', portals, true),
  jump('filter', 'OUTPUT', 'KUBE-SERVICES', portals, true),
  jump('filter', 'FORWARD', 'KUBE-FORWARD', 'kubernetes forwarding rules'),
  jump('filter', 'INPUT', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('filter', 'OUTPUT', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('filter', 'FORWARD', 'KUBE-PROXY-FIREWALL', firewall, true),
  jump('nat', 'OUTPUT', 'KUBE-SERVICES', portals),
  jump('nat', 'PREROUTING', 'KUBE-SERVICES', portals),
  jump('nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules'),
]

/** A chain that the kubelet makes too, and that is therefore left in place when the proxy cleans up. */
export const kubeletChain = 'KUBE-FIREWALL'
export const kubeletJumps: readonly Jump[] = [
  jump('filter', 'INPUT', kubeletChain, ''),
  jump('filter', 'OUTPUT', kubeletChain, ''),
]

/** Its absence tells that someone has flushed and deleted chains. */
export const canaryChain = 'KUBE-PROXY-CANARY'
export const canaryTables: readonly Table[] = ['mangle', 'nat', 'filter']

/** Chains of ours that are not a Service's, by table; Services add rules to some of them. */
export const frameChains = {
  filter: ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-FORWARD', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'],
  nat: ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'],
} as const

/** Rules of the fixed chains, as what stands behind `-A CHAIN `. */
export type FrameRules = readonly { readonly table: Table; readonly chain: string; readonly rules: readonly string[] }[]

export function renderFrame(options: RenderOptions): FrameRules {
  const mark = `0x${options.masqueradeMark.toString(16)}`
  const masquerade = `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE`
  return [
    {
      table: 'nat',
      chain: 'KUBE-POSTROUTING',
      rules: [
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        // cleared, so that a packet that passes twice is not masqueraded twice
        `-j MARK --set-xmark ${mark}/0x0`,
        options.randomFully ? `${masquerade} --random-fully` : masquerade,
      ],
    },
    { table: 'nat', chain: 'KUBE-MARK-MASQ', rules: [`-j MARK --set-xmark ${mark}/${mark}`] },
    { table: 'filter', chain: 'KUBE-FORWARD', rules: forwardRules(mark, options) },
    { table: 'filter', chain: kubeletChain, rules: localnetRules(options) },
  ]
}

/** Packets that no connection knows would reach the client with a pod's address, and it would reset the connection. */
function forwardRules(mark: string, { conntrackLiberal, counters }: RenderOptions): string[] {
  const counter = counters ? ` -m nfacct --nfacct-name  ${invalidDroppedCounter}` : ''
  return [
    ...(conntrackLiberal ? [] : [`-m conntrack --ctstate INVALID${counter} -j DROP`]),
    `${comment('kubernetes forwarding rules')} -m mark --mark ${mark}/${mark} -j ACCEPT`,
    `${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  ]
}

/** With route_localnet the neighbours could reach what listens on 127.0.0.1 only (CVE-2020-8558). */
function localnetRules({ family, localhostNodePorts }: RenderOptions): string[] {
  if (family === 6 || !localhostNodePorts) return []
  const why = comment('block incoming localnet connections')
  return [`! -s 127.0.0.0/8 -d 127.0.0.0/8 ${why} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP`]
}

/** The last rules of nat KUBE-SERVICES: what goes to an address of the node may be for a NodePort. */
export function nodePortRules({ family, nodePortIps, localhostNodePorts }: RenderOptions): string[] {
  const why = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
  if (nodePortIps !== 'all') {
    const isLoopback = (ip: string) => (family === 6 ? ip === '::1' : ip.startsWith('127.'))
    return nodePortIps
      .filter((ip) => !isLoopback(ip) || (family === 4 && localhostNodePorts))
      .map((ip) => `-d ${host(ip)} ${why} -j KUBE-NODEPORTS`)
  }
  const except = family === 6 ? '! -d ::1/128 ' : localhostNodePorts ? '' : '! -d 127.0.0.0/8 '
  return [`${except}${why} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`]
}
