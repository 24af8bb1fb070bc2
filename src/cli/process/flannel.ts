import { hostname } from 'node:os'
import { readFileSync } from 'node:fs'
import { etcdKeeper, isInEtcd, keeperFlags, kubernetesKeeper, nodeOfPod } from '#cli/process/flannel-keeper.ts'
import { partCommand } from '#cli/part-command.ts'
import { UserError } from '#daemon/error.ts'
import { address, choice, list, number, text, toggle, type Address, type OptionsOf } from '#daemon/flags.ts'
import { canonicalCidr, parseCidr } from '#lib/cidr.ts'
import { parseDuration } from '#lib/duration.ts'
import { canonicalIp, ipFamily } from '#lib/ip.ts'
import { backendTypes } from '#flannel/backends.ts'
import { defaultPrefix } from '#flannel/annotations.ts'
import { offloadSettings } from '#flannel/checksum.ts'
import { run } from '#flannel/main.ts'
import { defaultBackend, parseNetworkConfig, rulesForms, type NetworkConfig } from '#flannel/network-config.ts'

const usualConfigPath = '/etc/kube-flannel/net-conf.json'

const flags = {
  nodeName: text({ help: 'which node this is; default: the host name', placeholder: 'NAME', env: 'NODE_NAME' }),
  podName: text({
    help: 'the pod that this runs in, whose node it is; instead of --node-name',
    placeholder: 'NAME',
    env: 'POD_NAME',
  }),
  podNamespace: text({ help: 'where that pod is', placeholder: 'NAME', env: 'POD_NAMESPACE' }),
  netConfigPath: text({
    help: 'the network in the form of flannel: Network, Backend ...',
    placeholder: 'FILE',
    default: usualConfigPath,
    env: 'FLANNELD_NET_CONFIG_PATH',
  }),
  network: list({ help: 'range of all pods, one per address family, instead of a file', placeholder: 'CIDR' }),
  backend: choice(backendTypes, { help: 'how packets reach the other nodes, instead of what the file says' }),
  rules: choice(rulesForms, {
    help: 'who is told of masquerading and forwarding, instead of what the file says; default: iptables',
  }),
  iface: list({
    help: 'interface to the other nodes, by name or address; default: that of the default route',
    placeholder: 'NAME|IP',
    env: 'FLANNELD_IFACE',
  }),
  ifaceRegex: list({
    help: 'the same as a pattern; interfaces given by --iface come first',
    placeholder: 'REGEX',
    split: false,
    env: 'FLANNELD_IFACE_REGEX',
  }),
  publicIp: text({
    help: 'address that the other nodes reach this one by; default: that of the interface',
    placeholder: 'IP',
    env: 'FLANNELD_PUBLIC_IP',
  }),
  publicIpv6: text({ help: 'the same for IPv6', placeholder: 'IP', env: 'FLANNELD_PUBLIC_IPV6' }),
  ifaceCanReach: text({
    help: 'the interface by which this address is reached; after --iface and --iface-regex',
    placeholder: 'IP',
    env: 'FLANNELD_IFACE_CAN_REACH',
  }),
  ipMasq: toggle({ help: 'masquerade what leaves the pod network', default: true, env: 'FLANNELD_IP_MASQ' }),
  ipMasqFullyRandomDisable: toggle({
    help: 'masquerade without --random-fully',
    env: 'FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE',
  }),
  checksumOffload: choice(offloadSettings, {
    help: 'whether a vxlan device leaves checksums to the hardware; auto: not where the kernel or NAT is known to break them',
    env: 'FLANNELD_CHECKSUM_OFFLOAD',
  }),
  ipBlackholeRoute: toggle({
    help: 'packets to addresses of our own range that no pod has go nowhere',
    env: 'FLANNELD_IP_BLACKHOLE_ROUTE',
  }),
  iptablesForwardRules: toggle({
    help: 'write rules that let packets of pods be forwarded',
    default: true,
    env: 'FLANNELD_IPTABLES_FORWARD_RULES',
  }),
  isolateFrom: list({
    help: 'ranges of other networks on the same nodes: their pods and ours do not reach each other',
    placeholder: 'CIDR',
    env: 'FLANNELD_ISOLATE_FROM',
  }),
  iptablesResync: text({
    help: 'how often the rules are looked after, as 5s or in seconds',
    default: '5s',
    placeholder: 'DURATION',
    env: 'FLANNELD_IPTABLES_RESYNC',
  }),
  kubeAnnotationPrefix: text({
    help: 'prefix of the annotations of nodes',
    default: defaultPrefix,
    env: 'FLANNELD_KUBE_ANNOTATION_PREFIX',
  }),
  subnetFile: text({
    help: 'where to write what CNI plugins need to know',
    placeholder: 'FILE',
    default: '/run/flannel/subnet.env',
    env: 'FLANNELD_SUBNET_FILE',
  }),
  cniConfFile: text({
    help: 'also write a configuration for the standard CNI plugins bridge, host-local and portmap',
    placeholder: 'FILE',
    env: 'FLANNELD_CNI_CONF_FILE',
  }),
  setNodeNetworkUnavailable: toggle({
    help: 'set the condition NetworkUnavailable of the node',
    default: true,
    env: 'FLANNELD_SET_NODE_NETWORK_UNAVAILABLE',
  }),
  healthAddress: address({ help: 'where /healthz, /readyz and /metrics answer; 0: nowhere', default: '0.0.0.0:8471' }),
  healthzIp: text({ help: 'the same, address and port apart', placeholder: 'IP', env: 'FLANNELD_HEALTHZ_IP' }),
  healthzPort: number({ help: 'the same; 0: nowhere', min: 0, max: 65535, env: 'FLANNELD_HEALTHZ_PORT' }),
  ...keeperFlags,
}

export const command = partCommand({
  name: 'flannel',
  summary: "carry packets between the nodes' pods: vxlan, host-gw or udp, in flannel's own conventions",
  description:
    "Does what flanneld does: reads each node's podCIDR, tells the others about this node in the annotations\n" +
    'flannel.alpha.coreos.com/*, and keeps routes, masquerading rules and subnet.env as they should be, also when someone\n' +
    'takes them away. Both can serve one cluster, node by node. With --etcd-endpoints it keeps leases in etcd instead.',
  examples: [
    'fairway flannel --network 10.244.0.0/16 --backend host-gw',
    'fairway flannel --net-config-path ./net-conf.json --iface eth1 --kubeconfig ~/.kube/config',
    'fairway flannel --etcd-endpoints http://10.0.0.1:2379 --iface eth1',
    'fairway flannel --network 10.244.0.0/16,fd00:10:244::/56 --node-name node-1   # both address families',
  ],
  flags,
  run: async (options, context) => {
    const { keeper, config } = isInEtcd(options)
      ? await etcdKeeper(options, context)
      : { keeper: kubernetesKeeper(options), config: networkConfig(options) }
    return run(
      {
        keeper,
        nodeName: options.nodeName ?? (await nodeOfPod(options, keeper, context)) ?? hostname().toLowerCase(),
        config,
        annotationPrefix: options.kubeAnnotationPrefix,
        interfaces: options.iface,
        interfacePatterns: options.ifaceRegex.map(checkPattern),
        publicIps: {
          ...(options.publicIp !== undefined && { 4: checkIp('--public-ip', options.publicIp, [4]) }),
          ...(options.publicIpv6 !== undefined && { 6: checkIp('--public-ipv6', options.publicIpv6, [6]) }),
        },
        masquerade: options.ipMasq,
        canReach: options.ifaceCanReach && checkIp('--iface-can-reach', options.ifaceCanReach),
        checksumOffload: options.checksumOffload ?? 'auto',
        blackholeRoute: options.ipBlackholeRoute,
        randomFully: !options.ipMasqFullyRandomDisable,
        forwardRules: options.iptablesForwardRules,
        isolateFrom: options.isolateFrom.map(checkRange),
        rulesResyncMs: checkResync(options.iptablesResync),
        subnetFile: options.subnetFile,
        cniConfFile: options.cniConfFile,
        setNetworkUnavailable: options.setNodeNetworkUnavailable,
        health: healthOf(options),
        netns: undefined,
      },
      context,
    )
  },
})

function networkConfig({ network, backend, rules, netConfigPath }: OptionsOf<typeof flags>): NetworkConfig {
  if (network.length > 0)
    return {
      networks: rangesOf(network),
      backend: { ...defaultBackend, ...(backend !== undefined && { type: backend }) },
      rules: rules ?? 'iptables',
    }
  const config = parseNetworkConfig(readConfig(netConfigPath))
  if (typeof config === 'string') throw new UserError(`${netConfigPath}: ${config}`, { code: 'BadNetworkConfig' })
  return {
    ...config,
    ...(backend !== undefined && { backend: { ...config.backend, type: backend } }),
    ...(rules !== undefined && { rules }),
  }
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read the network configuration ${path}: ${(cause as NodeJS.ErrnoException).code}`, {
      code: 'NoNetworkConfig',
      remedy: 'give --network CIDR, or --net-config-path FILE',
      cause,
    })
  }
}

function rangesOf(texts: readonly string[]): NetworkConfig['networks'] {
  const networks: { 4?: string; 6?: string } = {}
  for (const text of texts) {
    const range = parseCidr(text)
    const family = range?.base.length === 16 ? 6 : 4
    if (range === undefined || networks[family] !== undefined)
      throw new UserError(
        range === undefined ? `--network: "${text}" is no range` : `--network: two ranges for IPv${family}`,
        { code: 'BadFlag', exitCode: 2, remedy: 'one range per address family, as --network 10.244.0.0/16' },
      )
    networks[family] = canonicalCidr(text)!
  }
  return networks
}

function healthOf({ healthAddress, healthzIp, healthzPort }: OptionsOf<typeof flags>): Address | undefined {
  if (healthzPort === 0) return undefined
  if (healthzIp === undefined && healthzPort === undefined) return healthAddress
  return {
    host: healthzIp === undefined ? '0.0.0.0' : checkIp('--healthz-ip', healthzIp),
    port: healthzPort ?? healthAddress?.port ?? 8471,
  }
}

function checkResync(words: string): number {
  const ms = /^\d+$/.test(words) ? Number(words) * 1000 : parseDuration(words)
  if (ms !== undefined && ms > 0) return ms
  throw new UserError(`--iptables-resync: "${words}" is no time`, { code: 'BadFlag', exitCode: 2, remedy: 'as 5s' })
}

function checkRange(words: string): string {
  const range = canonicalCidr(words)
  if (range !== undefined) return range
  throw new UserError(`--isolate-from: "${words}" is no range`, { code: 'BadFlag', exitCode: 2 })
}

function checkIp(flag: string, words: string, families: readonly number[] = [4, 6]): string {
  const ip = canonicalIp(words)
  if (ip !== undefined && families.includes(ipFamily(ip)!)) return ip
  const [only] = families.length === 1 ? families : []
  throw new UserError(`${flag}: "${words}" is no IP${only === undefined ? '' : `v${only}`} address`, {
    code: 'BadFlag',
    exitCode: 2,
  })
}

function checkPattern(pattern: string): string {
  try {
    return new RegExp(pattern).source
  } catch (error) {
    throw new UserError(`--iface-regex: ${(error as Error).message}`, { code: 'BadFlag', exitCode: 2 })
  }
}
