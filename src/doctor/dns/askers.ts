// Each pod of the DNS with the servers that it asks in truth: those that a Corefile names, and those of its resolv.conf.

import type { Pod } from '#api/core.ts'
import { dnsPort, type ResolvConfOfPod, resolvConfOf } from '#doctor/dns/cluster-dns.ts'
import type { Forward, Target } from '#doctor/dns/forwards.ts'
import type { View } from '#doctor/view.ts'

export type Server = Extract<Target, { kind: 'address' }>

/** A pod of the DNS, or nobody in particular, and whom it asks. */
export type Asker = {
  readonly pod: Pod | undefined
  readonly servers: readonly Server[]
  /** the file that named some of them */
  readonly file?: ResolvConfOfPod
}

export function askersOf(view: View, { pods, targets }: Forward): readonly Asker[] {
  const named = targets.filter((target) => target.kind === 'address')
  if (!targets.some((target) => target.kind === 'file' && target.path.endsWith('resolv.conf')))
    return pods.length === 0 ? [{ pod: undefined, servers: named }] : pods.map((pod) => ({ pod, servers: named }))
  const files = pods.length === 0 ? filesOfNodes(view) : pods.map((pod) => ({ pod, file: resolvConfOf(view, pod) }))
  return files.flatMap(({ pod, file }) => {
    if (file === undefined) return []
    const more = file.servers.map((ip) => ({ kind: 'address', ip, port: dnsPort, protocol: 'udp' }) as const)
    return [{ pod, servers: [...named, ...more], file }]
  })
}

const filesOfNodes = (view: View) =>
  view.nodes.map(({ name }) => ({
    pod: undefined,
    file: resolvConfOf(view, { spec: { nodeName: name, dnsPolicy: 'Default', containers: [] } }),
  }))
