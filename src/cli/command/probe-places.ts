// effect: namespaces of pods
// From where the doctor can send probes: every pod, node and the client of a cluster of this machine; else this node and its pods.
import type { Place, Reach } from '#doctor/probe/plan.ts'
import type { View } from '#doctor/view.ts'
import { type ClusterPlan, hostNamed } from '#lab/plan.ts'
import { standAtPod } from '#lab/standpoint.ts'
import { namespacesByAddress } from '#doctor/snapshot/pod-namespaces.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { openRoute } from '#kernel/route/open-route.ts'

export type Places = Disposable &
  Reach & {
    /** the path of its network namespace; undefined: this one */
    netnsOf(place: Place): string | undefined
  }

/** Namespaces of pods are held open until the probes are done. */
export function placesOfCluster(plan: ClusterPlan, { pods = [] }: View): Places {
  const held = new Map<Place, Disposable & { readonly netns: string | undefined }>()
  const hostOf = (place: Place) => hostNamed(plan, place.replace(/^node\//, ''))
  const podOf = (place: Place) => {
    const known = held.get(place)
    if (known !== undefined) return known
    const [, namespace = '', name = ''] = place.split('/')
    const pod = pods.find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name)
    const node = hostNamed(plan, pod?.spec?.nodeName ?? '')
    const ip = pod?.status?.podIP
    if (node === undefined || ip === undefined) return undefined
    try {
      const made = standAtPod(plan, { namespace, name, ip, node })
      held.set(place, made)
      return made
    } catch {
      // It has just ended.
      return undefined
    }
  }
  // The router of such a cluster leads nowhere else.
  const { podCidr, serviceCidr } = plan.options
  const segments = plan.router.segments.map(({ gateway, prefix }) => `${gateway}/${prefix}`)
  const ranges = [...podCidr.split(','), ...serviceCidr.split(','), ...segments].flatMap(
    (text) => parseCidr(text) ?? [],
  )
  return {
    has: (place) => (place.startsWith('pod/') ? podOf(place) !== undefined : hostOf(place) !== undefined),
    reaches: (ip) => ranges.some((range) => containsIp(range, ip)),
    netnsOf: (place) => (place.startsWith('pod/') ? podOf(place)?.netns : hostOf(place)?.namespaces.net),
    [Symbol.dispose]: () => {
      for (const one of held.values()) one[Symbol.dispose]()
    },
  }
}

/** Pods on it too, whose namespaces stay as long as the pods do. */
export function placesOfThisNode({ nodes, pods = [] }: View): Places {
  using route = openRoute()
  const own = new Set(route.addresses().map(({ ip }) => ip))
  const name = nodes.find(({ ips }) => ips.some((ip) => own.has(ip)))?.name
  const byIp = name === undefined ? new Map<string, string>() : namespacesByAddress()
  const netnsOf = (place: Place) => {
    const pod = pods.find(({ metadata }) => place === `pod/${metadata?.namespace}/${metadata?.name}`)
    return pod?.spec?.nodeName === name ? byIp.get(pod?.status?.podIP ?? '') : undefined
  }
  return {
    reaches: () => true,
    has: (place) => name !== undefined && (place === `node/${name}` || netnsOf(place) !== undefined),
    netnsOf,
    [Symbol.dispose]: () => undefined,
  }
}
