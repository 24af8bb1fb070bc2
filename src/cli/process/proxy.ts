// `fairway proxy`: the Service proxy of one node alone, with kube-proxy's flags.
import { hostname } from 'node:os'
import { partCommand } from '#cli/part-command.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { address, choice, duration, list, number, text, toggle, type OptionsOf } from '#daemon/flags.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'
import { cleanup } from '#proxy/leftovers.ts'
import { run } from '#proxy/main.ts'
import { schedulers } from '#proxy/ipvs/options.ts'
import { detectLocalModes, proxyDefaults, proxyModes, type ProxyOptions } from '#proxy/options.ts'

const seconds = (help: string, initial: string) => duration({ help, default: initial })
const flags = {
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
  iptablesBackend: choice(['nft', 'legacy'], { help: "which of the machine's iptables; default: as it is set up" }),
  iptablesMasqueradeBit: number({ help: 'bit of the packet mark for masquerading', default: 14, min: 0, max: 31 }),
  iptablesLocalhostNodeports: toggle({ help: 'NodePorts answer on 127.0.0.1 too', default: true }),
  iptablesSyncPeriod: seconds('changes that wait twice as long make the proxy unhealthy', '30s'),
  iptablesMinSyncPeriod: seconds('has no effect: changes are written at once', '0s'),
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
}

export const proxy = partCommand({
  name: 'proxy',
  summary: "write the cluster's Services into this node's kernel",
  description:
    'Does what kube-proxy does, with its flags, rules and metrics; the rights of `system:node-proxier` are enough.\n' +
    'Rules stay when it ends, and are taken over when it starts again.',
  examples: [
    'fairway proxy --cluster-cidr 10.244.0.0/16                  # in a pod on the host network',
    'fairway proxy --kubeconfig proxy.conf --hostname-override node-1 --proxy-mode iptables',
    'fairway proxy --cleanup                                     # take all rules away',
  ],
  flags,
  async run(options, context) {
    if (options.cleanup) return cleanup(context.log)
    await run(proxyOptions(options), context)
  },
})

function proxyOptions(options: OptionsOf<typeof flags> & { readonly kubeconfig: string | undefined }): ProxyOptions {
  const { podBridgeInterface, podInterfaceNamePrefix, detectLocalMode } = options
  if (detectLocalMode === 'BridgeInterface' && podBridgeInterface === undefined) throw needs('--pod-bridge-interface')
  if (detectLocalMode === 'InterfaceNamePrefix' && podInterfaceNamePrefix === undefined)
    throw needs('--pod-interface-name-prefix')
  const isPrimary = options.nodeportAddresses.join() === 'primary'
  return {
    client: connect(loadKubeconfig(options.kubeconfig)),
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
