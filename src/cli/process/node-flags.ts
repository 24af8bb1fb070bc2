// The flags of `fairway node`, and what is wrong with them.
import { logFlags, partFlags } from '#cli/part-command.ts'
import { addressPoolFlag } from '#cli/process/address-pool.ts'
import { UserError } from '#daemon/error.ts'
import { choice, list, text, toggle, type OptionsOf } from '#daemon/flags.ts'
import { canonicalCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'
import { hairpinModes } from '#node/cni/network.ts'
import { agentDefaults } from '#node/defaults.ts'
import { proxyDefaults, proxyModes } from '#proxy/options.ts'

/** What a node is made of, and the names by which Kubernetes knows these parts. */
export const components = {
  agent: 'kubelet',
  proxy: 'kube-proxy',
  flannel: 'kube-flannel',
  announcer: 'fairway-announcer',
  provisioner: 'fairway-provisioner',
} as const
export type Part = keyof typeof components
/** As in flannel's backends.ts, which is not loaded for the help. */
const podNetworks = ['vxlan', 'host-gw', 'udp'] as const
const podNetworkRules = ['iptables', 'nftables'] as const
const allParts = Object.keys(components) as Part[]

export const nodeFlags = {
  nodeName: text({ help: 'name of the Node; default: the host name', placeholder: 'NAME', env: 'NODE_NAME' }),
  nodeIp: list({
    help: "the node's addresses, the primary one first; default with --server: the one that it reaches the server by",
    placeholder: 'IP',
  }),
  server: text({ help: 'join the cluster of this API server: https://HOST:PORT', placeholder: 'URL' }),
  token: text({ help: 'bootstrap token to join with, the first time', placeholder: 'TOKEN', env: 'FAIRWAY_TOKEN' }),
  caCertHash: text({
    help: "what the cluster's authority has to be, beside the token's proof",
    placeholder: 'sha256:HEX',
  }),
  registerNode: toggle({ help: 'create the Node object where it is missing', default: true }),
  parts: list({ help: `which parts to run: ${allParts.join(', ')}`, default: allParts, placeholder: 'PART' }),
  rootDir: text({ help: "pods' volumes, logs and records", default: '/var/lib/fairway-node', placeholder: 'DIR' }),
  imageDir: text({ help: 'images that were imported', placeholder: 'DIR' }),
  logDir: text({ help: 'where each part writes its log; without it to standard error', placeholder: 'DIR' }),
  tlsCertFile: text({
    help: "certificate of the agent's API on port 10250; default: one of its own",
    placeholder: 'FILE',
  }),
  tlsPrivateKeyFile: text({ help: 'its key', placeholder: 'FILE' }),
  clientCaFile: text({
    help: 'authority of clients of that API; default: that of the kubeconfig',
    placeholder: 'FILE',
  }),
  clusterDns: list({ help: "addresses of the cluster's DNS", default: agentDefaults.clusterDns, placeholder: 'IP' }),
  clusterDomain: text({ help: "the cluster's domain", default: agentDefaults.clusterDomain, placeholder: 'DOMAIN' }),
  clusterCidr: list({
    help: 'range of all pods, one per address family',
    default: ['10.244.0.0/16'],
    placeholder: 'CIDR',
  }),
  podNetworkRules: choice(podNetworkRules, {
    help:
      'who is told of masquerading and forwarding: iptables, as with flannel, or nftables, which need no program but let nothing\n' +
      'through that a policy of iptables drops',
    default: 'iptables',
  }),
  podNetwork: choice(podNetworks, { help: "how packets reach other nodes: flannel's back end", default: 'vxlan' }),
  subnetFile: text({
    help: "flannel's subnet.env, which the agent waits for; default: /run/flannel/subnet.env where flannel is a part",
    placeholder: 'FILE',
  }),
  resolvConf: text({
    help: "resolver configuration for pods that use the node's",
    default: agentDefaults.resolvConf,
    placeholder: 'FILE',
  }),
  hairpinMode: choice(hairpinModes, {
    help: 'how a pod reaches itself through its Service',
    default: agentDefaults.hairpinMode,
  }),
  proxyMode: choice(proxyModes, { help: 'how Services get into the kernel', default: proxyDefaults.mode }),
  ...addressPoolFlag,
  kubeconfig: partFlags.kubeconfig,
  proxyKubeconfig: text({ help: 'as whom the proxy speaks; default: as the node does', placeholder: 'FILE' }),
  flannelKubeconfig: text({ help: 'as whom the pod network speaks; default: as the node does', placeholder: 'FILE' }),
  provisionerKubeconfig: text({
    help: 'as whom the provisioner speaks; default: as the node does',
    placeholder: 'FILE',
  }),
  ...logFlags,
}
export type NodeFlags = OptionsOf<typeof nodeFlags>
/** Where flannel writes what its network is. */
export const usualSubnetFile = '/run/flannel/subnet.env'

export function checkParts(words: readonly string[]): readonly Part[] {
  const unknown = words.find((word) => !allParts.includes(word as Part))
  if (unknown === undefined && words.length > 0) return allParts.filter((part) => words.includes(part))
  throw new UserError(`--parts: there is no part "${unknown ?? ''}"`, {
    code: 'BadFlag',
    exitCode: 2,
    remedy: `a node has ${allParts.join(', ')}`,
  })
}

export function checkIps(texts: readonly string[]): readonly string[] {
  if (texts.length === 0)
    throw new UserError('--node-ip is missing: the address that other nodes reach this one by', {
      code: 'MissingFlag',
      exitCode: 2,
    })
  return texts.map((text) => {
    const ip = canonicalIp(text)
    if (ip !== undefined) return ip
    throw new UserError(`--node-ip: "${text}" is not an IP address`, { code: 'BadFlag', exitCode: 2 })
  })
}

export const checkCidrs = (texts: readonly string[]): readonly string[] =>
  texts.map((text) => {
    const cidr = canonicalCidr(text)
    if (cidr !== undefined) return cidr
    throw new UserError(`--cluster-cidr: "${text}" is not a CIDR`, { code: 'BadFlag', exitCode: 2 })
  })
