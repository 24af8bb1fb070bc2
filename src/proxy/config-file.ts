// KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) read as values of kube-proxy's flags, so that both are checked by
// the same rules and named by their own names.
import { parse } from 'yaml'
import { UserError } from '#daemon/error.ts'
import { nearest } from '#lib/nearest.ts'

/** A value of the file, under the name of the flag that means the same (camelCase). */
export type ConfigValue = { readonly field: string; readonly flag: string; readonly text: string }
/** A field that is set and has no effect here, and why. */
export type ConfigNote = { readonly field: string; readonly why: string }
export type ReadConfig = { readonly values: readonly ConfigValue[]; readonly notes: readonly ConfigNote[] }

type Field =
  | { readonly flag: string; readonly port?: number; readonly zeroIsDefault?: true }
  | { readonly unneeded: string; readonly usual: readonly unknown[] }

const flag = (name: string): Field => ({ flag: name })
const period: Field = { flag: 'iptablesSyncPeriod', zeroIsDefault: true }
const unneeded = (why: string, ...usual: unknown[]): Field => ({ unneeded: why, usual })
const atOnce = 'changes are written at once'
const onlyWindows = 'it is for Windows'

/** What kube-proxy's own command line says no differently: why some of its settings have no meaning here. */
export const unneededFlags = {
  configSyncPeriod: 'nothing is asked for again: watches tell what changes',
  iptablesMinSyncPeriod: atOnce,
  ipvsMinSyncPeriod: atOnce,
  ipvsSyncPeriod: '--iptables-sync-period is for every mode',
  kubeApiQps: 'requests are few, and not limited',
  kubeApiBurst: 'requests are few, and not limited',
  kubeApiContentType: 'requests are made in JSON',
  featureGates: 'there are none: what is there is on',
  logFlushFrequency: 'lines are written at once',
  profiling: 'there is no /debug/pprof',
} as const

const common: Readonly<Record<string, Field>> = {
  hostnameOverride: flag('hostnameOverride'),
  bindAddress: flag('bindAddress'),
  healthzBindAddress: { flag: 'healthzBindAddress', port: 10256 },
  metricsBindAddress: { flag: 'metricsBindAddress', port: 10249 },
  bindAddressHardFail: flag('bindAddressHardFail'),
  enableProfiling: unneeded(unneededFlags.profiling, false),
  showHiddenMetricsForVersion: unneeded('no metric is hidden'),
  mode: flag('proxyMode'),
  detectLocalMode: flag('detectLocalMode'),
  'detectLocal.bridgeInterface': flag('podBridgeInterface'),
  'detectLocal.interfaceNamePrefix': flag('podInterfaceNamePrefix'),
  clusterCIDR: flag('clusterCidr'),
  nodePortAddresses: flag('nodeportAddresses'),
  oomScoreAdj: flag('oomScoreAdj'),
  configSyncPeriod: unneeded(unneededFlags.configSyncPeriod, '15m0s', '0s'),
  portRange: unneeded('it has had none in kube-proxy for years'),
  windowsRunAsService: unneeded(onlyWindows, false),
  'conntrack.maxPerCore': flag('conntrackMaxPerCore'),
  'conntrack.min': flag('conntrackMin'),
  'conntrack.tcpEstablishedTimeout': flag('conntrackTcpTimeoutEstablished'),
  'conntrack.tcpCloseWaitTimeout': flag('conntrackTcpTimeoutCloseWait'),
  'conntrack.tcpBeLiberal': flag('conntrackTcpBeLiberal'),
  'conntrack.udpTimeout': flag('conntrackUdpTimeout'),
  'conntrack.udpStreamTimeout': flag('conntrackUdpTimeoutStream'),
  'ipvs.scheduler': flag('ipvsScheduler'),
  'ipvs.excludeCIDRs': flag('ipvsExcludeCidrs'),
  'ipvs.strictARP': flag('ipvsStrictArp'),
  'ipvs.tcpTimeout': flag('ipvsTcpTimeout'),
  'ipvs.tcpFinTimeout': flag('ipvsTcpfinTimeout'),
  'ipvs.udpTimeout': flag('ipvsUdpTimeout'),
  'clientConnection.kubeconfig': flag('kubeconfig'),
  'clientConnection.qps': unneeded(unneededFlags.kubeApiQps, 0, 5),
  'clientConnection.burst': unneeded(unneededFlags.kubeApiBurst, 0, 10),
  'clientConnection.contentType': unneeded(unneededFlags.kubeApiContentType, 'application/vnd.kubernetes.protobuf'),
  'clientConnection.acceptContentTypes': unneeded(unneededFlags.kubeApiContentType),
  'logging.format': flag('logFormat'),
  'logging.verbosity': flag('v'),
  'logging.flushFrequency': unneeded(unneededFlags.logFlushFrequency, 0, '5s', 5_000_000_000),
  'iptables.localhostNodePorts': flag('iptablesLocalhostNodeports'),
  'iptables.minSyncPeriod': unneeded(atOnce, '1s', '0s'),
  'ipvs.minSyncPeriod': unneeded(atOnce, '0s', '1s'),
  'nftables.minSyncPeriod': unneeded(atOnce, '1s', '0s'),
}

/** Sections in which a mode looks for what every mode has; the last one that says something counts. */
const sections = { nftables: ['iptables', 'nftables'], iptables: ['iptables'], ipvs: ['iptables', 'ipvs'] } as const
const inSection: Readonly<Record<string, Field>> = {
  masqueradeBit: flag('iptablesMasqueradeBit'),
  masqueradeAll: flag('masqueradeAll'),
  syncPeriod: period,
}
/** Objects whose fields are not looked at one by one. */
const whole: Readonly<Record<string, Field>> = {
  featureGates: unneeded(unneededFlags.featureGates),
  winkernel: unneeded(onlyWindows),
  'logging.options': unneeded('lines are written at once'),
  'logging.vmodule': unneeded('-v is for all files'),
}

/** `mode`: as the command line says it; else the file's own. Throws UserError that names the field. */
export function readConfigFile(text: string, mode?: keyof typeof sections): ReadConfig {
  const config = parseConfig(text)
  const wanted = mode ?? (config['mode'] as keyof typeof sections) ?? ''
  const used: readonly string[] = sections[wanted in sections ? wanted : 'nftables']
  const values = new Map<string, ConfigValue>()
  const notes: ConfigNote[] = []
  for (const [path, value] of leaves(config)) {
    const [section = '', name = ''] = path.split('.')
    const shared = ['iptables', 'nftables', 'ipvs'].includes(section) ? inSection[name] : undefined
    const field = common[path] ?? whole[path] ?? shared
    if (field === undefined) throw unknownField(path)
    if (isNothing(value) || (shared !== undefined && !used.includes(section))) continue
    if ('unneeded' in field) {
      if (!field.usual.includes(value) && !(typeof value === 'object' && isEmptyObject(value)))
        notes.push({ field: path, why: field.unneeded })
      continue
    }
    if (field.zeroIsDefault && /^0\D*$/.test(String(value))) continue
    // Of two sections, what is merely `false` does not undo what the other says.
    if (shared !== undefined && value === false && values.has(field.flag)) continue
    values.set(field.flag, { field: path, flag: field.flag, text: textOf(value, field.port) })
  }
  return { values: [...values.values()], notes }
}

function parseConfig(text: string): Readonly<Record<string, unknown>> {
  let config: unknown
  try {
    config = parse(text)
  } catch (error) {
    throw refuse(`it is not YAML: ${(error as Error).message.split('\n')[0]}`)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw refuse('it is not an object')
  const { kind, apiVersion, ...rest } = config as Record<string, unknown>
  if (kind !== 'KubeProxyConfiguration' || apiVersion !== 'kubeproxy.config.k8s.io/v1alpha1')
    throw refuse(
      `it is ${String(apiVersion)} ${String(kind)}, and not kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration`,
    )
  return rest
}

/** Each field with its path; sections of fields are walked into. */
function* leaves(object: Readonly<Record<string, unknown>>, prefix = ''): Iterable<readonly [string, unknown]> {
  for (const [name, value] of Object.entries(object)) {
    const path = `${prefix}${name}`
    const isSection = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (isSection && whole[path] === undefined) yield* leaves(value as Record<string, unknown>, `${path}.`)
    else yield [path, value]
  }
}

const isNothing = (value: unknown) =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
/** Objects of nothing but empty values, as programs write them that name every field. */
const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.values(value).every((inner) => isNothing(inner) || isEmptyObject(inner))
    : [false, 0, '0'].includes(value as never)

/** Addresses to listen on may come without a port. */
function textOf(value: unknown, port?: number): string {
  const text = Array.isArray(value) ? value.join(',') : String(value)
  if (port === undefined || /[^:]:\d+$|\]:\d+$/.test(text)) return text
  return text.includes(':') && !text.startsWith('[') ? `[${text}]:${port}` : `${text}:${port}`
}

function unknownField(path: string): UserError {
  const near = nearest(path, [...Object.keys(common), ...Object.keys(whole)])
  return new UserError(`unknown field ${path}`, {
    code: 'BadConfig',
    exitCode: 2,
    remedy: near === undefined ? undefined : `did you mean ${near}?`,
  })
}
const refuse = (what: string) => new UserError(what, { code: 'BadConfig', exitCode: 2 })
