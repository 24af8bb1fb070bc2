// The cluster's DNS: whether it is there, whether pods ask it, and not more than they need.

import type { Pod, Service } from '#api/core.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { dnsPort, dnsServiceOf } from '#doctor/dns/cluster-dns.ts'
import { inNamespace } from '#doctor/compare/words.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { parseResolvConf } from '#lib/resolv-conf.ts'

export const checkNames = (it: Case): readonly Finding[] => [...down(it.view), ...searches(it), ...elsewhere(it.view)]

/** Only where objects of its namespace were given at all. */
function down(view: View): readonly Finding[] {
  const { slices } = view
  const service = dnsServiceOf(view)
  if (service === undefined || slices === undefined) return []
  const key = keyOf(service)
  const endpoints = (slicesByService(slices).get(key) ?? []).flatMap(({ endpoints: list = [] }) => list)
  if (endpoints.some(({ conditions }) => conditions?.ready !== false)) return []
  return [
    finding({
      code: 'DnsDown',
      about: `svc/${key}`,
      summary: 'no pod of the cluster DNS is ready',
      evidence: [`EndpointSlices of ${key}: ${endpoints.length} endpoints, none ready`],
      consequence: '100% of lookups of pods fail, of names of the cluster and outside; connections by address go on',
      remedy: [
        `kubectl -n ${key.split('/')[0]} get pods -l ${labelsOf(service)}   # and kubectl describe, logs of what is not ready`,
      ],
    }),
  ]
}

const labelsOf = ({ spec }: Service): string =>
  Object.entries(spec?.selector ?? {})
    .map(([label, value]) => `${label}=${value}`)
    .join(',')

const nameservers = (text = ''): readonly string[] => parseResolvConf(text).servers

/** The same pod with a change of its spec: most of a pod cannot be changed while it lives. */
const withPodAnew = (pod: Pod, spec: object): string =>
  `kubectl get pod ${inNamespace(keyOf(pod))} -o json | kubectl patch --local -f - --type=merge -p '${JSON.stringify({ spec })}' -o json | kubectl replace --force -f -`

/** Kubernetes' own: five dots, three suffixes and those of the node. */
const [usualDots, mostSuffixes] = [5, 6]

function searches(it: Case): readonly Finding[] {
  if (it.only !== undefined && servicesOf(it).length === 0) return []
  return (it.view.pods ?? []).flatMap((pod: Pod): readonly Finding[] => {
    const { dnsPolicy = 'ClusterFirst', dnsConfig: { searches: own = [], options = [] } = {} } = pod.spec ?? {}
    const file = it.view.podTexts.get(keyOf(pod))?.get('resolv.conf')
    const conf = file === undefined ? undefined : parseResolvConf(file)
    const [clusterDots, clusterSuffixes] = dnsPolicy.startsWith('ClusterFirst') ? [usualDots, 3] : [1, 0]
    const said = conf?.options.find((option) => option.startsWith('ndots:'))?.slice('ndots:'.length)
    const asked = said ?? options.find(({ name }) => name === 'ndots')?.value
    const dots = Number(asked ?? (conf === undefined ? clusterDots : 1))
    const all = conf?.searches.length ?? own.length + clusterSuffixes
    if (dots <= usualDots && all <= mostSuffixes) return []
    return [
      finding({
        code: 'SearchExpansion',
        about: `pod/${keyOf(pod)}`,
        summary: `pod ${keyOf(pod)} tries ${all} suffixes for names of fewer than ${dots} dots`,
        evidence: [
          `pod ${keyOf(pod)}: ${conf === undefined ? 'dnsConfig' : 'resolv.conf'}: ndots ${dots}, ${all} searches, ${own.length} of its own`,
        ],
        consequence: `a lookup of a name outside the cluster takes up to ${(all + 1) * 2} questions (A and AAAA), and resolvers that know six suffixes only ignore the rest`,
        remedy: [
          `${withPodAnew(pod, { dnsConfig: { searches: null, options: [{ name: 'ndots', value: '2' }] } })}   # and in its template; or write names outside with a dot at their end`,
        ],
      }),
    ]
  })
}

/** Addresses at which the cluster's names are known: of Services with a port for DNS, and of servers on the nodes. */
function clusterServers({ services = [], nodes }: View): ReadonlySet<string> {
  const of = services.filter(({ spec }) => spec?.ports?.some(({ port }) => port === dnsPort))
  return new Set([
    ...of.flatMap(({ spec }) => spec?.clusterIPs ?? spec?.clusterIP ?? []),
    ...nodes.flatMap(({ machine }) =>
      (machine.links ?? []).flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip)),
    ),
  ])
}

const isLinkLocal = (ip: string) => /^169\.254\.|^fe80:/.test(ip)

function elsewhere(view: View): readonly Finding[] {
  const known = clusterServers(view)
  if (dnsServiceOf(view) === undefined) return []
  const asks = (servers: readonly string[]) => servers.some((ip) => known.has(ip) || isLinkLocal(ip))
  return (view.pods ?? []).flatMap((pod): readonly Finding[] => {
    const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec ?? {}
    // What runs the cluster has its reasons; the DNS itself must ask others.
    if (hostNetwork === true || pod.metadata?.namespace === 'kube-system' || pod.status?.phase !== 'Running') return []
    const key = keyOf(pod)
    const file = view.podTexts.get(key)?.get('resolv.conf')
    const servers = file === undefined ? (dnsConfig?.nameservers ?? []) : nameservers(file)
    const isElsewhere = file === undefined ? ['Default', 'None'].includes(dnsPolicy) && !asks(servers) : !asks(servers)
    if (!isElsewhere) return []
    return [
      finding({
        code: 'AsksElsewhere',
        about: `pod/${key}`,
        summary: `pod ${key} does not ask the cluster DNS`,
        evidence: [
          `pod ${key}: dnsPolicy: ${dnsPolicy}${dnsConfig?.nameservers === undefined ? '' : `, nameservers ${dnsConfig.nameservers.join(', ')}`}`,
          ...(file === undefined ? [] : [`its resolv.conf: nameserver ${servers.join(', ') || 'none'}`]),
        ],
        consequence: `100% of its lookups of names of the cluster fail (NXDOMAIN, or a stranger's answer); names outside resolve`,
        remedy:
          dnsPolicy === 'ClusterFirst'
            ? [
                `kubectl get --raw /api/v1/nodes/${pod.spec?.nodeName}/proxy/configz   # clusterDNS of the kubelet names another server`,
              ]
            : [`${withPodAnew(pod, { dnsPolicy: 'ClusterFirst' })}   # and in its template`],
        restsOn: file === undefined ? ['resolv.conf of the pod'] : [],
      }),
    ]
  })
}
