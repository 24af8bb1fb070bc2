// The network as flannel's own configuration says it (net-conf.json): the range of the pods and the back end.

import { canonicalCidr, parseCidr } from '#lib/cidr.ts'

export type BackendConfig = {
  readonly type: string
  /** vxlan: network identifier, UDP port, and whether peers on the same network are reached without a tunnel */
  readonly vni: number
  /** of vxlan and udp; default: the back end's own */
  readonly port: number | undefined
  readonly directRouting: boolean
  readonly learning: boolean
  /** of the link below; default: what that link has */
  readonly mtu: number | undefined
}

/** Who is told of masquerading and forwarding: masquerade/. */
export const rulesForms = ['iptables', 'nftables'] as const
export type RulesForm = (typeof rulesForms)[number]

export type NetworkConfig = {
  /** range of all pods by family, `10.244.0.0/16`; a family without one is off */
  readonly networks: { readonly 4?: string; readonly 6?: string }
  readonly backend: BackendConfig
  readonly rules: RulesForm
}

export const defaultBackend: BackendConfig = {
  type: 'vxlan',
  vni: 1,
  port: undefined,
  directRouting: false,
  learning: false,
  mtu: undefined,
}

/** Reads net-conf.json; a text instead of a configuration says what is wrong with it. */
export function parseNetworkConfig(text: string): NetworkConfig | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `not JSON: ${(error as Error).message}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not an object'
  // flannel reads its keys without regard to case.
  const config = lowered(value as Record<string, unknown>)
  const wrong = wrongSwitch(config, switches)
  if (wrong !== undefined) return wrong
  const isOn = (key: string, byDefault: boolean) => config[key] ?? byDefault
  const networks: { 4?: string; 6?: string } = {}
  for (const [family, key, on] of [
    [4, 'network', isOn('enableipv4', true)],
    [6, 'ipv6network', isOn('enableipv6', false)],
  ] as const) {
    if (!on) continue
    const range = typeof config[key] === 'string' ? parseCidr(config[key]) : undefined
    if (range === undefined || range.base.length !== (family === 4 ? 4 : 16))
      return `${family === 4 ? 'Network' : 'IPv6Network'} must be an IPv${family} range such as ${examples[family]}`
    networks[family] = canonicalCidr(config[key] as string)!
  }
  if (networks[4] === undefined && networks[6] === undefined) return 'neither IPv4 nor IPv6 is enabled'
  const backend = parseBackend(config['backend'])
  const rules = isOn('enablenftables', false) ? 'nftables' : 'iptables'
  return typeof backend === 'string' ? backend : { networks, backend, rules }
}
/** Keys as users write them. */
const switches = ['EnableIPv4', 'EnableIPv6', 'EnableNFTables'] as const
const backendSwitches = ['DirectRouting', 'Learning', 'GBP'] as const

/** What is said to be on or off and is neither: taking it for off would hide a slip. */
function wrongSwitch(config: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const said = config[name.toLowerCase()]
    if (said !== undefined && typeof said !== 'boolean')
      return `${name} must be true or false, not ${JSON.stringify(said)}`
  }
  return undefined
}

const examples = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' }

function parseBackend(value: unknown): BackendConfig | string {
  if (value === undefined) return defaultBackend
  if (typeof value !== 'object' || value === null) return 'Backend must be an object'
  const config = lowered(value as Record<string, unknown>)
  const wrong = wrongSwitch(config, backendSwitches)
  if (wrong !== undefined) return `Backend.${wrong}`
  if (config['type'] !== undefined && typeof config['type'] !== 'string')
    return `Backend.Type must be a text such as "vxlan", not ${JSON.stringify(config['type'])}`
  if (config['gbp'] === true) return 'Backend.GBP is not served: packets carry no policy'
  for (const [key, most] of Object.entries({ vni: 0xffffff, port: 0xffff, mtu: 0xffff })) {
    const said = config[key]
    if (said !== undefined && !(Number.isInteger(said) && Number(said) >= 0 && Number(said) <= most))
      return `Backend.${key.toUpperCase()} must be a whole number up to ${most}, not ${JSON.stringify(said)}`
  }
  // 0 is what the original takes for nothing said.
  const number = (key: string) => (Number(config[key]) > 0 ? Number(config[key]) : undefined)
  return {
    type: config['type']?.toLowerCase() ?? defaultBackend.type,
    vni: number('vni') ?? defaultBackend.vni,
    port: number('port'),
    directRouting: config['directrouting'] === true,
    learning: config['learning'] === true,
    mtu: number('mtu'),
  }
}

const lowered = (object: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key.toLowerCase(), value]))
