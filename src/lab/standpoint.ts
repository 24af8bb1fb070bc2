// effect: namespaces of pods
// From where something is tried: this machine, the client outside, a node, or a pod.
import { closeSync, existsSync, openSync } from 'node:fs'
import { pods } from '#api/core.ts'
import { type Client, isNotFound } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import { mounts } from '#kernel/mount.ts'
import { withNamespaces } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import type { NameService } from '#lab/connect.ts'
import { type ClusterOptions, serviceAddresses } from '#lab/options.ts'
import { type ClusterPlan, type Host, hostNamed, nodesOf } from '#lab/plan.ts'

export type Standpoint = Disposable & {
  /** `pod/hostnames-1`, `node/node-1`, `client`, `this machine` */
  readonly label: string
  /** undefined: this machine's own. */
  readonly netns: string | undefined
  readonly names: NameService
}

/** `pod/NAME`, `pod/NAMESPACE/NAME`, `node/NAME`, `client`, or nothing for this machine. Throws UserErrors. */
export async function findStandpoint(plan: ClusterPlan, client: Client, text: string | undefined): Promise<Standpoint> {
  if (text === undefined) return standAt('this machine', undefined, plan)
  const [kind, ...rest] = text.split('/')
  if (kind === 'pod' && rest.length > 0 && rest.length <= 2) {
    const [name, namespace] = [rest.at(-1)!, rest.length === 2 ? rest[0]! : 'default']
    return standInPod(plan, client, namespace, name)
  }
  const host = hostNamed(plan, kind === 'node' ? (rest[0] ?? '') : text)
  if (host === undefined || (kind !== 'node' && host.role === 'node'))
    throw new UserError(`there is no "${text}" to send from`, {
      code: 'NoSuchPlace',
      remedy: `there are: ${[...nodesOf(plan).map(({ name }) => `node/${name}`), 'client', 'pod/NAME', 'pod/NAMESPACE/NAME'].join(', ')}`,
    })
  return standAt(text, host.namespaces.net, plan)
}

async function standInPod(plan: ClusterPlan, client: Client, namespace: string, name: string): Promise<Standpoint> {
  const pod = await client.get(pods, name, { namespace }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
    throw new UserError(`there is no pod ${namespace}/${name}`, {
      code: 'NoSuchPod',
      remedy: `kubectl get pods -A shows them; another namespace is named as pod/NAMESPACE/NAME`,
    })
  })
  const node = hostNamed(plan, pod.spec?.nodeName ?? '')
  const ip = pod.status?.podIP
  if (node === undefined || ip === undefined)
    throw new UserError(`the pod ${namespace}/${name} has no address (${pod.status?.phase ?? 'Pending'})`, {
      code: 'PodNotRunning',
      remedy: `kubectl describe pod ${name} -n ${namespace} says why`,
    })
  return standAtPod(plan, { namespace, name, ip, node })
}

/** In the network namespace of a pod that runs. */
export function standAtPod(
  plan: ClusterPlan,
  pod: { readonly namespace: string; readonly name: string; readonly ip: string; readonly node: Host },
): Standpoint {
  const label = pod.namespace === 'default' ? `pod/${pod.name}` : `pod/${pod.namespace}/${pod.name}`
  const file = pod.ip === pod.node.ip ? undefined : openPodNetns(pod.node, pod.ip)
  if (file === undefined && pod.ip !== pod.node.ip)
    throw new UserError(`nothing on ${pod.node.name} has the address ${pod.ip} of ${label}`, { code: 'PodNotRunning' })
  return {
    label,
    netns: file === undefined ? pod.node.namespaces.net : `/proc/self/fd/${file}`,
    names: podNames(plan.options, pod.namespace),
    [Symbol.dispose]: () => file !== undefined && closeSync(file),
  }
}

/** The namespace is known by its address: of those pinned on the node, the one that has it; undefined: none has. */
function openPodNetns(node: Host, ip: string): number | undefined {
  return withNamespaces({ mount: node.namespaces.mount! }, () => {
    for (const { type, root, target } of mounts()) {
      // The node's own /run lies over the pins that its mounts were copied from.
      if (type !== 'nsfs' || !root.startsWith('net:') || !existsSync(target)) continue
      const file = openSync(target, 'r')
      using route = openRoute(`/proc/self/fd/${file}`)
      if (route.addresses().some((address) => address.ip === ip)) return file
      closeSync(file)
    }
    return undefined
  })
}

const standAt = (label: string, netns: string | undefined, plan: ClusterPlan): Standpoint => ({
  label,
  netns,
  names: { servers: [], search: [], ndots: 1, hosts: new Map(plan.hosts.map(({ name, ip }) => [name, ip])) },
  [Symbol.dispose]: () => undefined,
})

/** As the kubelet writes a pod's resolv.conf (dnsPolicy ClusterFirst). */
const podNames = (options: ClusterOptions, namespace: string): NameService => ({
  servers: [serviceAddresses(options).dns],
  search: [`${namespace}.svc.${options.clusterDomain}`, `svc.${options.clusterDomain}`, options.clusterDomain],
  ndots: 5,
  hosts: new Map(),
})
