// effect: makes a cluster
import { clusterFlags, machineFlags } from '#cli/command/cluster-flags.ts'
import { systemClock } from '#daemon/clock.ts'
import { type CommandContext, defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { choice, duration, kebab, list, number, type OptionsOf, text, toggle } from '#daemon/flags.ts'
import { forgetCluster, loadCluster, saveCluster, takenLans } from '#lab/cluster-file.ts'
import { addMember, type Cluster, mostNodes, newCluster } from '#lab/cluster.ts'
import { mergeInto, usersKubeconfig } from '#lab/kubeconfig-file.ts'
import { lockCluster, lockNetworks } from '#lab/lock.ts'
import { checkPlatform, kubectlPackage, nextLan } from '#lab/machine.ts'
import { isOnPath, observePlatform } from '#lab/observe-machine.ts'
import { checkOptions, type ClusterOptions, defaultOptions, proxyModes } from '#lab/options.ts'
import { type ClusterPlan, planCluster } from '#lab/plan.ts'
import { prepareMachine } from '#lab/prepare-machine.ts'
import { createProgress, type Progress, renderPhases } from '#lab/progress.ts'
import { readManifests } from '#lab/read-manifests.ts'
import { renderKubeconfigLine, renderNodes, renderProof, renderServices } from '#lab/report.ts'
import { up as bootCluster, type UpResult } from '#lab/up.ts'

const flags = {
  filename: list({
    help: 'file, folder or - with objects to apply',
    short: 'f',
    placeholder: 'FILE',
    split: false,
  }),
  ...clusterFlags,
  nodes: number({ help: 'how many nodes', default: 3, min: 1, max: mostNodes }),
  subnets: number({
    help: 'networks of the nodes; with 2 every second node is behind a router from the others',
    default: defaultOptions.subnets,
    min: 1,
    max: 2,
  }),
  proxyMode: choice(proxyModes, { help: 'how Services become kernel rules', default: defaultOptions.proxyMode }),
  podNetwork: choice(['vxlan', 'host-gw', 'udp'], {
    help: "how packets get from node to node: flannel's back end",
    default: defaultOptions.podNetwork,
  }),
  loadBalancer: choice(['pool', 'appliance', 'none'], {
    help: 'who answers for load balancers: the nodes, by an address of a pool; an appliance before them; nobody',
    default: defaultOptions.loadBalancer,
  }),
  nodeLocalDns: toggle({ help: 'a DNS server on each node too, which pods reach past connection tracking' }),
  ingress: toggle({ help: 'an Ingress controller (HAProxy) with an address of its own, for the default IngressClass' }),
  podCidr: text({ help: 'addresses of pods', default: defaultOptions.podCidr, placeholder: 'CIDR' }),
  serviceCidr: text({ help: 'addresses of Services', default: defaultOptions.serviceCidr, placeholder: 'CIDR' }),
  serviceNodePortRange: text({
    help: 'ports for NodePorts',
    default: defaultOptions.serviceNodePortRange,
    placeholder: 'FIRST-LAST',
  }),
  clusterDomain: text({ help: 'the domain of Services', default: defaultOptions.clusterDomain, placeholder: 'NAME' }),
  hairpinMode: choice(['hairpin-veth', 'promiscuous-bridge', 'none'], {
    help: 'how a pod reaches itself through its Service',
    default: defaultOptions.hairpinMode,
  }),
  lanCidr: text({
    help: "the nodes' network, a /24; without it the first of 10.168.0.0/24, 10.168.1.0/24 ... without a cluster",
    placeholder: 'CIDR',
  }),
  wait: duration({ help: 'how long pods and Services may take to become ready; 0: do not wait', default: '60s' }),
  ...machineFlags,
  mergeKubeconfig: toggle({ help: "make the cluster the current context of the user's kubeconfig" }),
  timings: toggle({ help: 'show how long each step took' }),
}

export const up = defineCommand({
  name: 'up',
  summary: 'a whole cluster on this machine, in seconds',
  usage: '[-f FILE] [flags]',
  description:
    'Boots a control plane and nodes, each in namespaces of its own; applies the files, waits until their pods and\n' +
    'Services are ready, and tries every Service from inside a pod and from outside. A cluster that is there already\n' +
    'keeps what it was made with: it is started where it was stopped, mended where something of it is missing, and\n' +
    'gets more nodes where --nodes asks for them.',
  examples: [
    'fairway up -f examples/hostnames.yaml',
    'fairway up --nodes 1 --name small',
    'fairway up --subnets 2 --pod-network host-gw      # what host-gw cannot do: fairway status says so',
    'fairway up --service-node-port-range 1-65535      # as the NodePorts 8080 and 443 need it',
  ],
  flags,
  async run(options, rest, context) {
    takesNone('up', rest)
    checkPlatform(observePlatform())
    const manifests = readManifests(options.filename)
    const progress = createProgress(context.stderr, systemClock)
    using _lock = lockCluster(options.name)
    const existing = loadCluster(options.name)
    const plan = existing ? planCluster(planChange(existing.cluster, options, context.given)) : reserve(options)
    try {
      await prepareMachine(plan, options, progress, context.signal)
    } catch (error) {
      if (existing === undefined) forgetCluster(plan)
      throw error
    }
    const settings = { manifests, waitMs: options.wait, isNew: existing === undefined }
    try {
      const result = await bootCluster(plan, settings, progress, context.signal)
      progress.end()
      if (options.mergeKubeconfig) mergeInto(usersKubeconfig(context.env), plan)
      return print(plan, result, options.timings ? progress : undefined, context)
    } finally {
      progress.end()
    }
  },
})

type Options = OptionsOf<typeof flags>

/** A new cluster, written down together with its network: another `up` at the same time chooses another one. */
function reserve(options: Options): ClusterPlan {
  using _lock = lockNetworks()
  const lanCidr = options.lanCidr ?? nextLan(takenLans())
  const plan = planCluster(newCluster(checkOptions(clusterOptions({ ...options, lanCidr })), options.nodes))
  saveCluster(plan)
  return plan
}

/** Of a cluster that is there: what was not given stays, what was given must be the same, and nodes may be added. */
function planChange(existing: Cluster, options: Options, given: ReadonlySet<string>): Cluster {
  const asked = Object.fromEntries(Object.entries(options).filter(([key]) => given.has(key)))
  checkSame(existing.options, checkOptions(clusterOptions({ ...existing.options, ...asked })))
  if (!given.has('nodes')) return existing
  const missing = options.nodes - existing.members.length
  if (missing < 0)
    throw new UserError(
      `the cluster "${existing.options.name}" has ${existing.members.length} nodes already, more than ${options.nodes}`,
      {
        code: 'OtherOptions',
        remedy: `take nodes away with: fairway node delete NODE --name ${existing.options.name}`,
      },
    )
  let cluster = existing
  for (let i = 0; i < missing; i++) cluster = addMember(cluster)
  return cluster
}

/** Of all that is known, what a cluster is made with. */
const clusterOptions = (known: ClusterOptions): ClusterOptions =>
  Object.fromEntries(
    Object.keys(defaultOptions).map((key) => [key, known[key as keyof ClusterOptions]]),
  ) as ClusterOptions

/** What a cluster was made with cannot be changed under it. */
function checkSame(existing: ClusterOptions, wanted: ClusterOptions): void {
  const keys = Object.keys(wanted) as (keyof ClusterOptions)[]
  const different = keys.filter((key) => existing[key] !== wanted[key])
  if (different.length === 0) return
  const list = different.map((key) => `--${kebab(key)} ${existing[key]} and not ${wanted[key]}`).join(', ')
  throw new UserError(`the cluster "${existing.name}" is there already, with ${list}`, {
    code: 'OtherOptions',
    remedy: `remove it first (fairway down --name ${existing.name}), or make another one with --name`,
  })
}

function print(
  plan: ClusterPlan,
  { observed, services, proven }: UpResult,
  timed: Progress | undefined,
  { stdout }: CommandContext,
): number {
  const parts = [
    renderKubeconfigLine(plan),
    renderNodes(observed),
    ...(services.length === 0 ? [] : [renderServices(services, observed)]),
    ...(proven.length === 0 ? [] : [renderProof(proven)]),
    ...(timed === undefined ? [] : [renderPhases(timed.phases)]),
    ...(isOnPath('kubectl') ? [] : [`kubectl is not installed: apt-get install -y ${kubectlPackage}\n`]),
  ]
  stdout.write(parts.join('\n'))
  return proven.every(({ ok }) => ok) ? 0 : 1
}
