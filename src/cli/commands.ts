// Every subcommand, in the order of the help. A line here and one file make a command; the file is loaded only when
// the command runs (`--help` of all of them reads this table alone).

import { version } from '#cli/version.ts'
import type { AnyCommand } from '#daemon/command.ts'

export type Entry = {
  readonly name: string
  /** one line, lower case, without a full stop; the same as the command's own */
  readonly summary: string
  readonly group: keyof typeof groups
  load(): Promise<AnyCommand>
}

/** The headings of the help, in order. */
export const groups = {
  cluster: 'A cluster on this machine',
  parts: 'The parts, each also for any other Kubernetes cluster (--kubeconfig)',
  other: 'Other',
} as const

export const commands: readonly Entry[] = [
  {
    name: 'up',
    summary: 'a whole cluster on this machine, in seconds',
    group: 'cluster',
    load: async () => (await import('#cli/command/up.ts')).up,
  },
  {
    name: 'stop',
    summary: 'end everything that runs in a cluster, and keep the cluster',
    group: 'cluster',
    load: async () => (await import('#cli/command/stop.ts')).stop,
  },
  {
    name: 'start',
    summary: 'bring back a cluster that was stopped, or that a reboot or a kill has taken down',
    group: 'cluster',
    load: async () => (await import('#cli/command/start.ts')).start,
  },
  {
    name: 'list',
    summary: 'the clusters of this machine',
    group: 'cluster',
    load: async () => (await import('#cli/command/list.ts')).list,
  },
  {
    name: 'status',
    summary: 'what runs in a cluster, what it costs, and what is unwell',
    group: 'cluster',
    load: async () => (await import('#cli/command/status.ts')).status,
  },
  {
    name: 'kubeconfig',
    summary: "print a cluster's kubeconfig, or merge it into the user's own",
    group: 'cluster',
    load: async () => (await import('#cli/command/kubeconfig.ts')).kubeconfig,
  },
  {
    name: 'completion',
    summary: 'what a shell needs to complete fairway commands',
    group: 'other',
    load: async () => (await import('#cli/command/completion.ts')).completion,
  },
  {
    name: 'node add',
    summary: 'add a node to a cluster that runs',
    group: 'cluster',
    load: async () => (await import('#cli/command/node-commands.ts')).nodeAdd,
  },
  {
    name: 'node start',
    summary: 'start a node that was stopped or killed, or parts of it',
    group: 'cluster',
    load: async () => (await import('#cli/command/node-commands.ts')).nodeStart,
  },
  {
    name: 'node stop',
    summary: 'shut a node down, or end parts of it',
    group: 'cluster',
    load: async () => (await import('#cli/command/node-commands.ts')).nodeStop,
  },
  {
    name: 'node kill',
    summary: 'pull the plug of a node, or kill parts of it',
    group: 'cluster',
    load: async () => (await import('#cli/command/node-commands.ts')).nodeKill,
  },
  {
    name: 'node delete',
    summary: 'take a node away for good, with its pods and all that it kept',
    group: 'cluster',
    load: async () => (await import('#cli/command/node-commands.ts')).nodeDelete,
  },
  {
    name: 'image build',
    summary: 'make a container image of Fairway itself, for clusters that it did not make',
    group: 'cluster',
    load: async () => (await import('#cli/command/image-commands.ts')).imageBuild,
  },
  {
    name: 'image import',
    summary: 'bring a container image into a cluster',
    group: 'cluster',
    load: async () => (await import('#cli/command/image-commands.ts')).imageImport,
  },
  {
    name: 'image list',
    summary: 'the images that were imported into a cluster',
    group: 'cluster',
    load: async () => (await import('#cli/command/image-commands.ts')).imageList,
  },
  {
    name: 'image remove',
    summary: 'take an imported image away again',
    group: 'cluster',
    load: async () => (await import('#cli/command/image-commands.ts')).imageRemove,
  },
  {
    name: 'curl',
    summary: 'send an HTTP request from a pod, a node, or from outside the cluster',
    group: 'cluster',
    load: async () => (await import('#cli/command/curl.ts')).curl,
  },
  {
    name: 'exec',
    summary: 'run a command in a pod, on a node, at the client or on the router',
    group: 'cluster',
    load: async () => (await import('#cli/command/exec.ts')).exec,
  },
  {
    name: 'logs',
    summary: "show a part's log",
    group: 'cluster',
    load: async () => (await import('#cli/command/logs.ts')).logs,
  },
  {
    name: 'token create',
    summary: 'a bootstrap token, and the command by which another machine joins',
    group: 'other',
    load: async () => (await import('#cli/command/token-commands.ts')).tokenCreate,
  },
  {
    name: 'store backup',
    summary: 'everything that an API server keeps, into one file',
    group: 'other',
    load: async () => (await import('#cli/command/store-commands.ts')).backup,
  },
  {
    name: 'store restore',
    summary: 'a backup into a new store',
    group: 'other',
    load: async () => (await import('#cli/command/store-commands.ts')).restore,
  },
  {
    name: 'store copy',
    summary: 'from a file into an etcd, or the other way',
    group: 'other',
    load: async () => (await import('#cli/command/store-commands.ts')).copy,
  },
  {
    name: 'trace',
    summary: 'say why a packet goes where it goes, live or from dumps',
    group: 'other',
    load: async () => (await import('#cli/command/trace.ts')).trace,
  },
  {
    name: 'doctor',
    summary: 'find out why Services do not answer, live or from files',
    group: 'other',
    load: async () => (await import('#cli/command/doctor.ts')).doctor,
  },
  {
    name: 'explain',
    summary: 'what a code of fairway doctor means, how it is seen and put right',
    group: 'other',
    load: async () => (await import('#cli/command/explain.ts')).explain,
  },
  {
    name: 'partition',
    summary: 'cut nodes off from each other, as a broken network does',
    group: 'cluster',
    load: async () => (await import('#cli/command/partition.ts')).partition,
  },
  {
    name: 'heal',
    summary: 'undo partition',
    group: 'cluster',
    load: async () => (await import('#cli/command/partition.ts')).heal,
  },
  {
    name: 'snapshot',
    summary: "collect objects and every node's kernel state into one file, to be looked at elsewhere",
    group: 'other',
    load: async () => (await import('#cli/command/snapshot.ts')).snapshot,
  },
  {
    name: 'down',
    summary: 'remove a cluster and everything that belongs to it',
    group: 'cluster',
    load: async () => (await import('#cli/command/down.ts')).down,
  },
  {
    name: 'apiserver',
    summary: 'a Kubernetes API server',
    group: 'parts',
    load: async () => (await import('#cli/process/apiserver.ts')).command,
  },
  {
    name: 'control-plane',
    summary: 'API server and controllers in one process',
    group: 'parts',
    load: async () => (await import('#cli/process/control-plane.ts')).controlPlane,
  },
  {
    name: 'controllers',
    summary: 'deployments, endpoints, nodes, the scheduler: everything that keeps objects true',
    group: 'parts',
    load: async () => (await import('#cli/process/controllers.ts')).controllers,
  },
  {
    name: 'node',
    summary: 'a node: runs pods, and carries their packets and Services',
    group: 'parts',
    load: async () => (await import('#cli/process/node.ts')).node,
  },
  {
    name: 'node leave',
    summary: 'end the pods of this machine, take its Node away, and clean up',
    group: 'parts',
    load: async () => (await import('#cli/process/node-leave.ts')).nodeLeave,
  },
  {
    name: 'dns',
    summary: "answer the cluster's names, configured by a Corefile",
    group: 'parts',
    load: async () => (await import('#cli/process/dns.ts')).dns,
  },
  {
    name: 'proxy',
    summary: "write the cluster's Services into this node's kernel",
    group: 'parts',
    load: async () => (await import('#cli/process/proxy.ts')).proxy,
  },
  {
    name: 'proxy show',
    summary: 'what nftables mode does with Services on this node, read from the kernel',
    group: 'parts',
    load: async () => (await import('#cli/process/proxy-show.ts')).proxyShow,
  },
  {
    name: 'flannel',
    summary: "carry packets between the nodes' pods: vxlan, host-gw or udp, in flannel's own conventions",
    group: 'parts',
    load: async () => (await import('#cli/process/flannel.ts')).command,
  },
  {
    name: 'vm',
    summary: "run a command in a virtual machine with Debian's kernel",
    group: 'other',
    load: async () => (await import('#cli/command/vm.ts')).vm,
  },
  {
    name: 'balancer',
    summary: 'load balancers: gives Services of type LoadBalancer an address',
    group: 'parts',
    load: async () => (await import('#cli/process/balancer.ts')).balancer,
  },
  {
    name: 'provisioner',
    summary: 'volumes for claims, on the disk of this node, of the size that was asked for',
    group: 'parts',
    load: async () => (await import('#cli/process/provisioner.ts')).provisioner,
  },
  {
    name: 'announcer',
    summary: "answer on a node's network for the addresses of load balancers",
    group: 'parts',
    load: async () => (await import('#cli/process/announcer.ts')).announcer,
  },
  {
    name: 'ingress',
    summary: 'send HTTP by host and path to Services, as Ingresses say',
    group: 'parts',
    load: async () => (await import('#cli/process/ingress.ts')).ingress,
  },
  {
    name: 'cni',
    summary: 'the CNI plugin of pods: bridge, addresses and host ports in one',
    group: 'parts',
    load: async () => (await import('#cli/command/cni.ts')).cni,
  },
  {
    name: 'version',
    summary: 'print the versions of Fairway, of the Kubernetes API that it serves, and of Node',
    group: 'other',
    load: async () => version,
  },
]
