// effect: namespaces of a cluster's nodes and pods
// A snapshot of a cluster that runs: on this machine, or anywhere a kubeconfig leads to.
import { type Pod, nodes, pods } from '#api/core.ts'
import { ApiError, type Client, connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { version } from '#daemon/version.ts'
import { collectNamespace, type NamespaceState } from '#doctor/snapshot/collect-namespace.ts'
import { collectResolvConfs, resolvConfAt } from '#doctor/snapshot/collect-resolv-conf.ts'
import { collectObjects } from '#doctor/snapshot/collect-objects.ts'
import { type Manifest, nodeFile, podFile, type SnapshotFile } from '#doctor/snapshot/snapshot.ts'
import { namespacesByAddress } from '#doctor/snapshot/pod-namespaces.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { type ClusterPlan, hostNamed, nodesOf } from '#lab/plan.ts'
import { standAtPod } from '#lab/standpoint.ts'
import { podIps } from '#trace/world.ts'

export type LiveSnapshot = { readonly manifest: Manifest; readonly files: readonly SnapshotFile[] }

type Draft = { readonly files: SnapshotFile[]; readonly gaps: string[]; readonly nodes: string[] }

/** All nodes and pods of a cluster of this machine. */
export async function snapshotCluster(plan: ClusterPlan, signal: AbortSignal): Promise<LiveSnapshot> {
  const client = connect(loadKubeconfig(plan.paths.kubeconfig))
  try {
    const draft = await begin(client, signal)
    const confs = collectResolvConfs()
    for (const host of nodesOf(plan)) {
      const { net } = host.namespaces
      draft.nodes.push(host.name)
      add(draft, await stateOf(net, confs), host.name, (name) => nodeFile(host.name, name))
    }
    for (const pod of (await client.list(pods, { signal })).items) await addPod(draft, plan, pod, confs)
    return finish(draft)
  } finally {
    client.close()
  }
}

/** The objects, and the state of this machine and of the pods on it where it is one of the nodes. */
export async function snapshotRemote(kubeconfig: string, signal: AbortSignal): Promise<LiveSnapshot> {
  const client = connect(loadKubeconfig(kubeconfig))
  try {
    const draft = await begin(client, signal)
    const items = await listOrNone(client.list(nodes, { signal }))
    using route = openRoute()
    const own = new Set(route.addresses().map(({ ip }) => ip))
    const node = items.find(({ status }) => status?.addresses?.some(({ address }) => own.has(address)))
    const name = node?.metadata?.name
    if (name === undefined && items.length > 0)
      draft.gaps.push(
        'nodes: this machine is none of them; run the script of --print-script on each and give all the files',
      )
    else if (name !== undefined) {
      draft.nodes.push(name)
      const confs = collectResolvConfs()
      add(draft, await stateOf('/proc/self/ns/net', confs), name, (file) => nodeFile(name, file))
      const all = await listOrNone(client.list(pods, { signal }))
      await addPodsHere(
        draft,
        all.filter((pod) => pod.spec?.nodeName === name),
        confs,
      )
    }
    return finish(draft)
  } finally {
    client.close()
  }
}

/** Who may not list them has been told so with the other objects. */
async function listOrNone<T>(list: Promise<{ readonly items: readonly T[] }>): Promise<readonly T[]> {
  try {
    return (await list).items
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 403) return []
    throw error
  }
}

async function begin(client: Client, signal: AbortSignal): Promise<Draft> {
  const { files, gaps } = await collectObjects(client, signal)
  return { files: [...files], gaps: [...gaps], nodes: [] }
}

function add(draft: Draft, state: NamespaceState, whose: string, nameOf: (name: string) => string): void {
  draft.files.push(...state.files.map(({ name, text }) => ({ file: nameOf(name), text })))
  draft.gaps.push(...state.gaps.map((gap) => `${whose}: ${gap}`))
}

type ResolvConfs = ReturnType<typeof collectResolvConfs>

/** Its kernel's state, and the servers that its processes ask for names. */
async function stateOf(netns: string, confs: ResolvConfs, withPrograms = true): Promise<NamespaceState> {
  const { files, gaps } = await collectNamespace(netns, withPrograms)
  const text = resolvConfAt(confs, netns)
  return { files: text === undefined ? files : [...files, { name: 'resolv.conf', text }], gaps }
}

async function addPod(draft: Draft, plan: ClusterPlan, pod: Pod, confs: ResolvConfs): Promise<void> {
  const { name = '', namespace = 'default' } = pod.metadata ?? {}
  const node = hostNamed(plan, pod.spec?.nodeName ?? '')
  const ip = pod.status?.podIP
  if (node === undefined || ip === undefined || pod.spec?.hostNetwork === true || ip === node.ip) return
  try {
    using place = standAtPod(plan, { namespace, name, ip, node })
    add(draft, await stateOf(place.netns!, confs, false), `pod ${namespace}/${name}`, (file) =>
      podFile(namespace, name, file),
    )
  } catch (error) {
    // A pod that has just ended has no namespace any more.
    draft.gaps.push(`pod ${namespace}/${name}: ${(error as Error).message}`)
  }
}

async function addPodsHere(draft: Draft, here: readonly Pod[], confs: ResolvConfs): Promise<void> {
  const found = namespacesByAddress()
  for (const pod of here.filter(({ spec }) => spec?.hostNetwork !== true)) {
    const netns = podIps(pod)
      .map((ip) => found.get(ip))
      .find((path) => path !== undefined)
    if (netns === undefined) continue
    const { name = '', namespace = 'default' } = pod.metadata ?? {}
    add(draft, await stateOf(netns, confs, false), `pod ${namespace}/${name}`, (file) => podFile(namespace, name, file))
  }
}

const finish = ({ files, gaps, nodes: names }: Draft): LiveSnapshot => ({
  files,
  manifest: {
    fairwaySnapshot: 1,
    made: new Date().toISOString(),
    by: `fairway ${version}`,
    nodes: names,
    gaps,
  },
})
