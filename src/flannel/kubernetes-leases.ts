// effect: requests to the API server
// Leases in Kubernetes: a node's range is its podCIDR, which someone else allocates; what back ends tell each other stands
// in annotations of the Node.
import { canonicalIp } from '#lib/ip.ts'
import { nodes } from '#api/core.ts'
import { formatTime } from '#api/time.ts'
import type { Client } from '#client/client.ts'
import { createRecorder, referenceTo } from '#client/events.ts'
import { informer } from '#client/informer.ts'
import type { PartContext } from '#daemon/part.ts'
import { keysOf, leaseOf, missingAnnotations, subnetOf } from '#flannel/annotations.ts'
import { families, type Family } from '#flannel/lease.ts'
import type { LeaseSource } from '#flannel/lease-source.ts'
import { equalNodeView, problemCondition, toNodeView } from '#flannel/state.ts'

export type KubernetesLeasesOptions = {
  readonly client: Client
  readonly node: string
  readonly prefix: string
  /** set the node's condition NetworkUnavailable to False when pods can be reached */
  readonly setNetworkUnavailable: boolean
  /** some node changed */
  onChange(node: string): void
}

export function kubernetesLeases(options: KubernetesLeasesOptions, context: PartContext): LeaseSource {
  const { client, node: name, prefix, onChange } = options
  const { signal, log, clock } = context
  const keys = keysOf(prefix)
  const recorder = createRecorder(client, { component: 'flannel', host: name, clock, log })
  const cache = informer(client, nodes, {
    signal,
    log,
    slim: (node) => toNodeView(node, prefix),
    equal: equalNodeView,
    onChange: ({ key }) => onChange(key),
    onSync: () => onChange(name),
  })
  const setCondition = async (condition: { type: string; status: string; reason: string; message: string }) => {
    const now = formatTime(clock.now())
    const patch = { status: { conditions: [{ ...condition, lastTransitionTime: now, lastHeartbeatTime: now }] } }
    await client.patch(nodes, name, patch, { type: 'strategic', subresource: 'status', signal })
  }
  return {
    synced: cache.synced,
    get isSynced() {
      return cache.isSynced
    },
    *leases() {
      for (const node of cache.values()) {
        const lease = leaseOf(node, keys)
        if (lease !== undefined) yield lease
      }
    },
    // Someone else gives ranges out.
    claim: () => undefined,
    publicIps() {
      const annotations = cache.get(name)?.annotations ?? {}
      const said = (family: Family) => canonicalIp(annotations[keys.byFamily[family].given] ?? '')
      const [v4, v6] = [said(4), said(6)]
      return { ...(v4 !== undefined && { 4: v4 }), ...(v6 !== undefined && { 6: v6 }) }
    },
    ownSubnets() {
      const own = cache.get(name)
      if (own === undefined) return `node "${name}" does not exist`
      const subnets: { [F in Family]?: string } = {}
      for (const family of families) {
        const subnet = subnetOf(own, family)
        if (subnet !== undefined) subnets[family] = subnet
      }
      return Object.keys(subnets).length === 0 ? `node "${name}" pod cidr not assigned` : subnets
    },
    async announce(announcement) {
      const own = cache.get(name)
      if (own === undefined) return
      const annotations = missingAnnotations(own, announcement, keys)
      if (Object.keys(annotations).length === 0) return
      await client.patch(nodes, name, { metadata: { annotations } }, { type: 'merge', subresource: 'status', signal })
      log.debug('announced this node', annotations)
    },
    async complete() {
      if (!options.setNetworkUnavailable || cache.get(name)?.networkUnavailable === 'False') return
      const message = 'Flannel is running on this node'
      await setCondition({ type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp', message })
    },
    async report(problems) {
      const own = cache.get(name)
      const message = problems.map((problem) => problem.message).join('; ')
      // A node that never had a problem has no such condition.
      if (own === undefined || (own.problem ?? '') === message) return
      const [first] = problems
      await setCondition({
        type: problemCondition,
        status: first === undefined ? 'False' : 'True',
        reason: first?.code ?? 'AllReached',
        message: first === undefined ? 'The pods of all nodes can be reached' : message,
      })
    },
    warn(reason, message) {
      const uid = cache.get(name)?.uid
      const metadata = { name, ...(uid !== undefined && { uid }) }
      recorder.event(referenceTo(nodes, { metadata }), 'Warning', reason, message)
    },
  }
}
