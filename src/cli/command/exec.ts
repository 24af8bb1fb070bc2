// effect: programs inside the cluster's namespaces
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import { clusterFlags } from '#cli/command/cluster-flags.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { defineCommand } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { text } from '#daemon/flags.ts'
import { requireRunning } from '#cli/command/running-cluster.ts'
import { execInPod } from '#lab/exec-in-pod.ts'
import { type ClusterPlan, hostNamed } from '#lab/plan.ts'
import { enterCommand } from '#lab/processes.ts'

export const exec = defineCommand({
  name: 'exec',
  summary: 'run a command in a pod, on a node, at the client or on the router',
  usage: 'pod/NAME|node/NAME|client|router -- COMMAND',
  description:
    'On a node the command sees its network, mounts and host name; at the client and on the router their network only.\n' +
    'In a pod it runs in a container, through the API server.',
  examples: [
    'fairway exec node/node-1 -- fairway proxy show',
    'fairway exec pod/hostnames-0 -- nslookup kubernetes.default',
    'fairway exec client -- curl -s 10.168.0.2:30225',
    'fairway exec router -- ip route',
  ],
  flags: {
    container: text({ help: "which container; default: the pod's first", short: 'c', placeholder: 'NAME' }),
    ...clusterFlags,
  },
  async run(options, [place, ...command], { signal }) {
    if (place === undefined || command.length === 0)
      throw new UserError('where, and what?', {
        code: 'BadArgument',
        exitCode: 2,
        remedy: 'for example: fairway exec node/node-1 -- iptables-save',
      })
    const plan = requireRunning(options.name)
    if (!place.startsWith('pod/')) return runInside(enterCommand(namespacesOf(plan, place)), command)
    const { namespace, pod } = podNamed(place)
    const { stdin, stdout, stderr } = process
    // Of what is no terminal Node says nothing at all.
    const tty = Boolean(stdin.isTTY && stdout.isTTY)
    if (tty) stdin.setRawMode(true)
    return execInPod(loadKubeconfig(plan.paths.kubeconfig), {
      namespace,
      pod,
      command,
      tty,
      stdin,
      stdout,
      stderr,
      signal,
      ...(options.container !== undefined && { container: options.container }),
    }).finally(() => tty && stdin.setRawMode(false))
  },
})

/** `pod/NAME` or `pod/NAMESPACE/NAME`. */
function podNamed(place: string): { readonly namespace: string; readonly pod: string } {
  const [, namespace = 'default', pod] = /^pod\/(?:([^/]+)\/)?([^/]+)$/.exec(place) ?? []
  if (pod !== undefined) return { namespace, pod }
  throw new UserError(`"${place}" names no pod`, {
    code: 'NoSuchPlace',
    exitCode: 2,
    remedy: 'write pod/NAME, or pod/NAMESPACE/NAME for another namespace than default',
  })
}

function namespacesOf(plan: ClusterPlan, place: string) {
  if (place === 'router') return { net: plan.router.netns }
  const host = hostNamed(plan, place.replace(/^node\//, ''))
  if (host) return host.namespaces
  throw new UserError(`there is no "${place}"`, {
    code: 'NoSuchPlace',
    remedy: `there are: ${plan.hosts.map(({ name, role }) => (role === 'node' ? `node/${name}` : name)).join(', ')}, router, pod/NAME`,
  })
}

/** The command takes this terminal over; its exit code is ours. */
function runInside(enter: readonly string[], command: readonly string[]): Promise<number> {
  const fairway = resolve(import.meta.dirname, '../../..')
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:${fairway}`
  const child = spawn(enter[0]!, [...enter.slice(1), ...command], {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]))
  })
}
