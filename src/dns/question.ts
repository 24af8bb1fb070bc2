// What a name inside the cluster's zone asks for: the grammar of Kubernetes DNS names (specification 1.1.0, and
// CoreDNS's reading where the specification is silent).

import { labelsOf } from '#dns/wire/name.ts'

export type ClusterName =
  /** a name that exists, but has no records of its own: the zone, `svc`, `pod` */
  | { readonly kind: 'empty' }
  | { readonly kind: 'version' }
  | { readonly kind: 'nameserver' }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | { readonly kind: 'service'; readonly namespace: string; readonly service: string }
  | { readonly kind: 'endpoint'; readonly namespace: string; readonly service: string; readonly endpoint: string }
  | {
      readonly kind: 'port'
      readonly namespace: string
      readonly service: string
      readonly port: string
      readonly protocol: string
    }
  | { readonly kind: 'pod'; readonly namespace: string; readonly pod: string }
  | { readonly kind: 'none' }

/** What names a Service, or something of it. */
export type ServiceName = Extract<ClusterName, { service: string }>

/** Reads `name`, which is within `zone`; both normal. */
export function parseClusterName(name: string, zone: string): ClusterName {
  const labels = labelsOf(name === zone ? '' : zone === '' ? name : name.slice(0, -zone.length - 1))
  const [root, namespace, owner, ...rest] = labels.toReversed()
  if (root === undefined) return { kind: 'empty' }
  if (labels.length === 1 && root === 'dns-version') return { kind: 'version' }
  if (labels.length === 2 && root === 'dns' && namespace === 'ns') return { kind: 'nameserver' }
  if (root !== 'svc' && root !== 'pod') return { kind: 'none' }
  if (namespace === undefined) return { kind: 'empty' }
  if (owner === undefined) return { kind: 'namespace', namespace }
  if (rest.length > 2) return { kind: 'none' }
  // A pod's name says nothing further to the left; CoreDNS reads only the pod.
  if (root === 'pod') return { kind: 'pod', namespace, pod: owner }
  const [first, second] = rest
  if (first === undefined) return { kind: 'service', namespace, service: owner }
  if (second === undefined) return { kind: 'endpoint', namespace, service: owner, endpoint: first }
  const bare = (label: string) => (label.startsWith('_') ? label.slice(1) : label)
  return { kind: 'port', namespace, service: owner, port: bare(second), protocol: bare(first) }
}

/** The address that a name below in-addr.arpa or ip6.arpa stands for, in canonical text; undefined where it is none. */
export function parseReverseName(name: string): string | undefined {
  const labels = labelsOf(name)
  const top = labels.slice(-2).join('.')
  const digits = labels.slice(0, -2).toReversed()
  if (top === 'in-addr.arpa') {
    const good = digits.length === 4 && digits.every((digit) => /^(0|[1-9]\d{0,2})$/.test(digit) && Number(digit) < 256)
    return good ? digits.join('.') : undefined
  }
  if (top !== 'ip6.arpa' || digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/.test(digit))) return undefined
  const groups = Array.from({ length: 8 }, (_, group) => digits.slice(4 * group, 4 * group + 4).join(''))
  return groups.join(':')
}
