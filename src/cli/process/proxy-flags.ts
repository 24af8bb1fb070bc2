// kube-proxy's flags, and what they mean to our proxy.
import { hostname } from 'node:os'
import { UserError } from '#daemon/error.ts'
import { address, choice, duration, type Flag, list, number, text, toggle, type OptionsOf } from '#daemon/flags.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'
import { unneededFlags } from '#proxy/config-file.ts'
import { schedulers } from '#proxy/ipvs/options.ts'
import { detectLocalModes, proxyDefaults, proxyModes, type ProxyOptions } from '#proxy/options.ts'

/** Flags of kube-proxy that have no meaning here are taken, and a line of the log says so. */
const unneeded = Object.fromEntries(
  Object.entries(unneededFlags).map(([name, why]) => [name, text({ help: `no effect: ${why}`, placeholder: 'VALUE' })]),
) as Readonly<Record<keyof typeof unneededFlags, Flag<string | undefined>>>

const seconds = (help: string, initial: string) => duration({ help, default: initial })
export const proxyFlags = {
  config: text({
    help: 'a KubeProxyConfiguration; what is given as a flag too counts as the flag says',
    placeholder: 'FILE',
  }),
  writeConfigTo: text({ help: 'write the configuration to this file, then end', placeholder: 'FILE' }),
  master: text({ help: "address of the API server, in place of the kubeconfig's", placeholder: 'URL' }),
  proxyMode: choice(proxyModes, { help: 'how Services get into the kernel', default: proxyDefaults.mode }),
  hostnameOverride: text({ help: "name of this machine's Node; default: the host name", placeholder: 'NAME' }),
  clusterCidr: list({ help: 'CIDR of the pods, one for each address family', placeholder: 'CIDR' }),
  detectLocalMode: choice(detectLocalModes, {
    help: 'how packets of pods are told from others',
    default: proxyDefaults.detectLocalMode,
    placeholder: 'MODE',
  }),
  podBridgeInterface: text({ help: 'with BridgeInterface: the bridge of the pods', placeholder: 'NAME' }),
  podInterfaceNamePrefix: text({ help: "with InterfaceNamePrefix: how pods' interfaces begin", placeholder: 'TEXT' }),
  masqueradeAll: toggle({ help: 'masquerade whatever goes to a cluster IP' }),
  nodeportAddresses: list({
    help: "CIDRs of the node's addresses that NodePorts answer on, or `primary`; default: all, in nftables mode primary",
    placeholder: 'CIDR',
  }),
  allowNodeCapture: toggle({
    help: "also program external IPs that are the node's own, and NodePorts that its processes listen on",
  }),
  bindAddress: text({ help: "the node's address, where the Node object is not to be asked", placeholder: 'IP' }),
  healthzBindAddress: address({ help: 'where /healthz and /livez are served', default: '0.0.0.0:10256' }),
  metricsBindAddress: address({ help: 'where /metrics and /proxyMode are served', default: '127.0.0.1:10249' }),
  bindAddressHardFail: toggle({ help: 'end where one of these ports is taken, instead of trying again' }),
  oomScoreAdj: number({
    help: 'how willing the kernel is to end this process when memory is short',
    default: -999,
    min: -1000,
    max: 1000,
  }),
  iptablesBackend: choice(['nft', 'legacy'], { help: "which of the machine's iptables; default: as it is set up" }),
  iptablesMasqueradeBit: number({ help: 'bit of the packet mark for masquerading', default: 14, min: 0, max: 31 }),
  iptablesLocalhostNodeports: toggle({ help: 'NodePorts answer on 127.0.0.1 too', default: true }),
  iptablesSyncPeriod: seconds('changes that wait twice as long make the proxy unhealthy', '30s'),
  ipvsScheduler: choice(schedulers, {
    help: 'how IPVS shares connections out',
    default: proxyDefaults.ipvs.scheduler,
    placeholder: 'NAME',
  }),
  ipvsStrictArp: toggle({ help: 'answer ARP only for the addresses of the interface asked' }),
  ipvsExcludeCidrs: list({ help: 'IPVS services in these networks are left alone', placeholder: 'CIDR' }),
  ipvsTcpTimeout: seconds('idle TCP connections of IPVS; 0: leave it', '0s'),
  ipvsTcpfinTimeout: seconds('TCP connections of IPVS after a FIN; 0: leave it', '0s'),
  ipvsUdpTimeout: seconds('UDP flows of IPVS; 0: leave it', '0s'),
  conntrackMaxPerCore: number({ help: 'connections to track per core; 0: leave the limit', default: 32768, min: 0 }),
  conntrackMin: number({ help: 'no fewer connections than this', default: 131072, min: 0 }),
  conntrackTcpTimeoutEstablished: seconds('idle TCP connections; 0: leave it', '24h'),
  conntrackTcpTimeoutCloseWait: seconds('TCP connections in CLOSE_WAIT; 0: leave it', '1h'),
  conntrackUdpTimeout: seconds('UDP flows without an answer; 0: leave it', '0s'),
  conntrackUdpTimeoutStream: seconds('UDP flows with answers; 0: leave it', '0s'),
  conntrackTcpBeLiberal: toggle({ help: 'let the kernel accept packets outside of the TCP window' }),
  cleanup: toggle({ help: 'remove all rules of a Service proxy, then end' }),
  initOnly: toggle({ help: 'set the kernel parameters that need full root, then end' }),
  loggingFormat: choice(['text', 'json'], { help: 'the same as --log-format' }),
  ...unneeded,
}

/** What they mean, but for how to reach the API server. Throws UserError that names the flag. */
export function proxyOptions(options: OptionsOf<typeof proxyFlags>): Omit<ProxyOptions, 'client'> {
  const { podBridgeInterface, podInterfaceNamePrefix, detectLocalMode } = options
  if (detectLocalMode === 'BridgeInterface' && podBridgeInterface === undefined) throw needs('--pod-bridge-interface')
  if (detectLocalMode === 'InterfaceNamePrefix' && podInterfaceNamePrefix === undefined)
    throw needs('--pod-interface-name-prefix')
  const isPrimary = options.nodeportAddresses.join() === 'primary'
  return {
    nodeName: (options.hostnameOverride ?? hostname()).trim().toLowerCase(),
    mode: options.proxyMode,
    iptablesBackend: options.iptablesBackend,
    detectLocalMode,
    clusterCidrs: cidrs(options.clusterCidr, '--cluster-cidr'),
    podBridgeInterface,
    podInterfaceNamePrefix,
    masqueradeAll: options.masqueradeAll,
    masqueradeBit: options.iptablesMasqueradeBit,
    localhostNodePorts: options.iptablesLocalhostNodeports,
    nodePortAddresses: isPrimary ? ['primary'] : cidrs(options.nodeportAddresses, '--nodeport-addresses'),
    allowNodeCapture: options.allowNodeCapture,
    nodeIp: options.bindAddress === undefined ? undefined : ownIp(options.bindAddress),
    healthz: options.healthzBindAddress,
    metrics: options.metricsBindAddress,
    bindAddressHardFail: options.bindAddressHardFail,
    oomScoreAdj: options.oomScoreAdj,
    syncPeriodMs: options.iptablesSyncPeriod,
    ipvs: {
      scheduler: options.ipvsScheduler,
      strictArp: options.ipvsStrictArp,
      excludeCidrs: cidrs(options.ipvsExcludeCidrs, '--ipvs-exclude-cidrs'),
      timeouts: {
        tcp: options.ipvsTcpTimeout / 1000,
        tcpFin: options.ipvsTcpfinTimeout / 1000,
        udp: options.ipvsUdpTimeout / 1000,
      },
    },
    conntrack: {
      maxPerCore: options.conntrackMaxPerCore,
      min: options.conntrackMin,
      tcpEstablishedSeconds: options.conntrackTcpTimeoutEstablished / 1000,
      tcpCloseWaitSeconds: options.conntrackTcpTimeoutCloseWait / 1000,
      udpSeconds: options.conntrackUdpTimeout / 1000,
      udpStreamSeconds: options.conntrackUdpTimeoutStream / 1000,
      tcpBeLiberal: options.conntrackTcpBeLiberal,
    },
  }
}

const cidrs = (texts: readonly string[], flag: string) =>
  texts.map((text) => {
    const cidr = canonicalCidr(text)
    if (cidr === undefined) throw new UserError(`${flag}: ${text} is not a CIDR`, { code: 'BadFlag', exitCode: 2 })
    return cidr
  })

/** 0.0.0.0 and :: mean "ask the Node", as for kube-proxy. */
function ownIp(text: string): string | undefined {
  const ip = canonicalIp(text)
  if (ip === undefined)
    throw new UserError(`--bind-address: ${text} is not an IP address`, { code: 'BadFlag', exitCode: 2 })
  return ip === '0.0.0.0' || ip === '::' ? undefined : ip
}

const needs = (flag: string) => new UserError(`${flag} is missing`, { code: 'MissingFlag', exitCode: 2 })
