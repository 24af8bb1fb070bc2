// What `up` and `status` print of a cluster. Pure: from what was seen to text.
import type { Node, Service } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { renderTable } from '#lib/table.ts'
import type { ClusterPlan } from '#lab/plan.ts'
import type { Proven } from '#lab/proof.ts'
import { type Observed, readyEndpoints } from '#lab/readiness.ts'

export const renderKubeconfigLine = ({ paths }: ClusterPlan): string => `export KUBECONFIG=${paths.kubeconfig}\n`

export function renderNodes({ nodes, pods }: Observed): string {
  const rows = nodes
    .toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))
    .map((node) => [
      node.metadata!.name!,
      isReady(node) ? 'Ready' : 'NotReady',
      node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '<none>',
      node.spec?.podCIDR ?? '<none>',
      String(pods.filter(({ spec }) => spec?.nodeName === node.metadata?.name).length),
    ])
  return renderTable([['NODE', 'STATUS', 'ADDRESS', 'POD CIDR', 'PODS'], ...rows])
}

const isReady = (node: Node): boolean =>
  node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false

export function renderServices(services: readonly Service[], { slices }: Pick<Observed, 'slices'>): string {
  const rows = services
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((service) => {
      const { spec } = service
      return [
        keyOf(service),
        spec?.type ?? 'ClusterIP',
        spec?.type === 'ExternalName' ? '<none>' : (spec?.clusterIP ?? '<none>'),
        portsOf(service),
        spec?.type === 'ExternalName' ? (spec.externalName ?? '') : endpointsOf(service, slices),
      ]
    })
  return renderTable([['SERVICE', 'TYPE', 'CLUSTER-IP', 'PORTS', 'ENDPOINTS'], ...rows])
}

const portsOf = ({ spec }: Service): string => {
  const ports = (spec?.ports ?? []).map(
    ({ port, nodePort, protocol = 'TCP' }) => `${port}${nodePort === undefined ? '' : `:${nodePort}`}/${protocol}`,
  )
  return ports.length === 0 ? '<none>' : ports.join(',')
}

const most = 4
function endpointsOf(service: Service, slices: Observed['slices']): string {
  const ips = readyEndpoints(service, slices).map(({ ip }) => ip)
  if (ips.length === 0) return '<none>'
  return ips.length <= most ? ips.join(',') : `${ips.slice(0, most - 1).join(',')} + ${ips.length - most + 1} more`
}

export function renderProof(proven: readonly Proven[]): string {
  const rows = proven.map(({ url, label, ok, answer, tookMs }) => [
    url,
    label,
    ok ? answer : `no answer: ${answer}`,
    `${tookMs.toFixed(1)} ms`,
  ])
  return rows.length === 0 ? '' : renderTable([['REQUEST', 'FROM', 'ANSWERED BY', 'TIME'], ...rows])
}
