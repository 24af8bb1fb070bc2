// The cluster's DNS as its objects describe it: its Service, the pods that run by a configuration, and what a pod has as its
// resolv.conf.

import type { ConfigMap, Pod, Service } from '#api/core.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { canonicalIp, type Ip } from '#lib/ip.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'
import { podIps } from '#trace/world.ts'

export const dnsPort = 53

/** `kube-dns` of most clusters, `rke2-coredns-rke2-coredns`, `dns-default` of OpenShift. */
export function dnsServiceOf({ services = [] }: View): Service | undefined {
  const named = (key: string) => services.find((one) => keyOf(one) === key)
  return (
    named('kube-system/kube-dns') ??
    named('openshift-dns/dns-default') ??
    services.find(
      ({ metadata, spec }) =>
        metadata?.namespace === 'kube-system' &&
        metadata.labels?.['k8s-app'] === 'kube-dns' &&
        spec?.clusterIP !== 'None' &&
        spec?.ports?.some(({ port }) => port === dnsPort) === true,
    )
  )
}

/** Addresses of its Service. */
export const dnsAddressesOf = (view: View): readonly Ip[] => {
  const spec = dnsServiceOf(view)?.spec
  return [spec?.clusterIP, ...(spec?.clusterIPs ?? [])].flatMap((text) => canonicalIp(text ?? '') ?? [])
}

/** Pods that mount it; where none is known to, those behind the DNS's Service. */
export function podsWith(view: View, map: ConfigMap): readonly Pod[] {
  const alive = (view.pods ?? []).filter(
    ({ metadata, status }) =>
      metadata?.namespace === map.metadata?.namespace && !['Succeeded', 'Failed'].includes(status?.phase ?? ''),
  )
  const mounting = alive.filter(({ spec }) =>
    spec?.volumes?.some(({ configMap }) => configMap?.name === map.metadata?.name),
  )
  if (mounting.length > 0 || /node-?local/.test(map.metadata?.name ?? '')) return mounting
  const service = dnsServiceOf(view)
  const slices = service && slicesByService(view.slices ?? []).get(keyOf(service))
  const addresses = new Set((slices ?? []).flatMap(({ endpoints = [] }) => endpoints.flatMap((one) => one.addresses)))
  return alive.filter((pod) => podIps(pod).some((ip) => addresses.has(ip)))
}

export type ResolvConfOfPod = {
  /** whose file it is, in words */
  readonly from: string
  readonly servers: readonly Ip[]
  /** the pod's own, or taken for it */
  readonly isKnown: boolean
}

/** What a pod's processes have as /etc/resolv.conf. A kubelet may hand on another file than the node's own (`resolvConf`). */
export function resolvConfOf(view: View, pod: Pod): ResolvConfOfPod | undefined {
  const read = (text: string) => parseResolvConf(text).servers.flatMap((one) => canonicalIp(one) ?? [])
  const own = view.podTexts.get(keyOf(pod))?.get('resolv.conf')
  if (own !== undefined) return { from: `pod ${keyOf(pod)}: resolv.conf`, servers: read(own), isKnown: true }
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork, nodeName } = pod.spec ?? {}
  const isCluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true)
  if (isCluster)
    return { from: `pod ${keyOf(pod)}: dnsPolicy ${dnsPolicy}`, servers: dnsAddressesOf(view), isKnown: true }
  if (dnsPolicy === 'None')
    return {
      from: `pod ${keyOf(pod)}: dnsConfig`,
      servers: (dnsConfig?.nameservers ?? []).flatMap((one) => canonicalIp(one) ?? []),
      isKnown: true,
    }
  const text = view.nodes.find(({ name }) => name === nodeName)?.texts.get('resolv.conf')
  return text === undefined ? undefined : { from: `${nodeName}: resolv.conf`, servers: read(text), isKnown: false }
}
