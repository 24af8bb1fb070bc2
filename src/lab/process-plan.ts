// Which processes a cluster consists of, each with the namespaces that it lives in and its command line.
import type { Namespaces } from '#kernel/netns.ts'
import { credentialFiles } from '#lab/credential-files.ts'
import { serviceAddresses } from '#lab/options.ts'
import {
  addressPoolOf,
  announcedPoolOf,
  apiServerOf,
  apiServerPort,
  type ClusterPlan,
  type Host,
  nodesOf,
} from '#lab/plan.ts'

export type ProcessPlan = {
  readonly name: string
  readonly namespaces: Namespaces
  /** Behind `fairway`. */
  readonly words: readonly string[]
  /** Standard output and error. */
  readonly log: string
  /** For Node itself. */
  readonly engine: readonly string[]
}

/**
 * A smaller space for young objects costs a little more collecting under load and saves 15 MB in each process. The control
 * plane has more to do than a node.
 */
const engine = { controlPlane: ['--max-semi-space-size=4'], node: ['--max-semi-space-size=1'] } as const

/** The control plane first, for everything else waits for it. */
export const planProcesses = (plan: ClusterPlan): readonly ProcessPlan[] => [
  planControlPlane(plan),
  ...plan.hosts.filter(({ role }) => role === 'balancer').map((host) => planBalancer(plan, host)),
  ...nodesOf(plan)
    .filter(({ parts }) => parts.length > 0)
    .map((node) => planNode(plan, node)),
]

/** Where the appliance tells how it is, and who its back ends are. */
export const balancerHealthPort = 10258

export const logOf = (plan: ClusterPlan, name: string): string => `${plan.paths.logs}/${name}.log`

function planControlPlane(plan: ClusterPlan): ProcessPlan {
  const { options, paths } = plan
  const files = credentialFiles(plan)
  const host = plan.hosts.find(({ role }) => role === 'control-plane')!
  return {
    name: host.name,
    namespaces: host.namespaces,
    log: logOf(plan, host.name),
    engine: engine.controlPlane,
    words: [
      'control-plane',
      ...flags({
        'bind-address': '0.0.0.0',
        'advertise-address': apiServerOf(plan).ip,
        'secure-port': String(apiServerPort),
        'data-file': paths.store,
        'service-cluster-ip-range': options.serviceCidr,
        'service-node-port-range': options.serviceNodePortRange,
        'tls-cert-file': files.apiServer.cert,
        'tls-private-key-file': files.apiServer.key,
        'client-ca-file': files.ca.cert,
        'kubelet-client-certificate': files.kubeletClient.cert,
        'kubelet-client-key': files.kubeletClient.key,
        'kubelet-certificate-authority': files.ca.cert,
        'service-account-key-file': files.serviceAccount.publicKey,
        'service-account-signing-key-file': files.serviceAccount.key,
        'service-account-issuer': `https://kubernetes.default.svc.${options.clusterDomain}`,
        'cluster-cidr': options.podCidr,
        'controllers-kubeconfig': files.controllers,
        'scheduler-kubeconfig': files.scheduler,
        'use-service-account-credentials': 'true',
        'cluster-signing-cert-file': files.ca.cert,
        'cluster-signing-key-file': files.ca.key,
        'address-pool': announcedPoolOf(plan),
      }),
    ],
  }
}

function planBalancer(plan: ClusterPlan, host: Host): ProcessPlan {
  return {
    name: host.name,
    namespaces: host.namespaces,
    log: logOf(plan, host.name),
    engine: engine.node,
    words: [
      'balancer',
      ...flags({
        kubeconfig: credentialFiles(plan).balancer,
        provider: 'appliance',
        interface: 'eth0',
        'address-pool': addressPoolOf(plan),
        'health-address': `${host.ip}:${balancerHealthPort}`,
      }),
    ],
  }
}

function planNode(plan: ClusterPlan, node: Host): ProcessPlan {
  const { options, paths } = plan
  const all = credentialFiles(plan)
  const files = all.node(node)
  return {
    name: node.name,
    namespaces: node.namespaces,
    log: logOf(plan, node.name),
    engine: engine.node,
    words: [
      'node',
      ...flags({
        kubeconfig: files.kubeconfig,
        'proxy-kubeconfig': all.proxy,
        'flannel-kubeconfig': all.flannel,
        'provisioner-kubeconfig': all.provisioner,
        'node-name': node.name,
        'node-ip': node.ip,
        'register-node': 'false',
        parts: node.parts.join(),
        'root-dir': `${paths.state}/nodes/${node.name}`,
        'image-dir': paths.images,
        'log-dir': paths.logs,
        'tls-cert-file': files.cert,
        'tls-private-key-file': files.key,
        'client-ca-file': all.ca.cert,
        'cluster-dns': serviceAddresses(options).dns,
        'cluster-domain': options.clusterDomain,
        'pod-network': options.podNetwork,
        'pod-network-rules': options.proxyMode === 'nftables' ? 'nftables' : 'iptables',
        'cluster-cidr': options.podCidr,
        'hairpin-mode': options.hairpinMode,
        'proxy-mode': options.proxyMode,
        'address-pool': announcedPoolOf(plan),
      }),
    ],
  }
}

/** What is undefined is not given. */
const flags = (values: Readonly<Record<string, string | undefined>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]))
