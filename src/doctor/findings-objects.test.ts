// Faults that objects alone show, made in the recorded snapshot of a healthy cluster.
import { manifestsOf } from '#doctor/snapshot/snapshot.ts'
import {
  addObject,
  type Change,
  edit,
  object,
  objectsOnly,
  removeObject,
  type Row,
  testRows,
} from '#test/doctor-snapshot.ts'

const noEndpoints = object('endpointslices', 'hostnames', (slice) => (slice.endpoints = []))
const spec = (name: string, fields: object): Change =>
  object('services', name, (service) => Object.assign(service.spec, fields))
const corefile = (line: string): Change => edit('configmaps.json', 'forward .', `${line}\\n    forward .`)
/** Only the first pod of the Deployment stays among the endpoints: it is on node-1. */
const onNode1 = object('endpointslices', 'hostnames-nodeport', (slice) => {
  slice.endpoints = slice.endpoints.filter(({ nodeName }: { nodeName: string }) => nodeName === 'node-1')
})
const balanced = (fields: object): Change =>
  object('services', 'hostnames-nodeport', (service) => {
    Object.assign(service.spec, { type: 'LoadBalancer', ...fields })
    service.status = { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } }
  })
const policy = (ingress: unknown): Change =>
  addObject('networkpolicies', 'NetworkPolicy', {
    metadata: { namespace: 'default', name: 'shut' },
    spec: { podSelector: { matchLabels: { app: 'hostnames' } }, policyTypes: ['Ingress'], ingress },
  })

/** One pod of three is not ready, so many seconds after it was made. */
const starting =
  (seconds: number, restartCount = 0): Change =>
  (files) => {
    const made = Date.parse(manifestsOf(files)[0]?.made ?? '')
    return object('pods', 'hostnames-5c8dd7776d-6v8qm', ({ metadata, status }) => {
      metadata.creationTimestamp = new Date(made - seconds * 1000).toISOString()
      status.conditions.find(({ type }: { type: string }) => type === 'Ready').status = 'False'
      for (const container of status.containerStatuses) Object.assign(container, { ready: false, restartCount })
    })(files)
  }
const left = object('endpointslices', 'hostnames', (slice) => {
  const { targetRef, conditions } = slice.endpoints.find(({ targetRef: { name } }: { targetRef: { name: string } }) =>
    name.endsWith('6v8qm'),
  )
  if (targetRef !== undefined) Object.assign(conditions, { ready: false, serving: false })
})
const rows: readonly Row[] = [
  { name: 'nothing', changes: [], roots: [] },
  {
    name: 'a name with a slip',
    changes: [],
    only: 'default/hostnamse',
    roots: ['ServiceMissing svc/default/hostnamse'],
    evidence: /there is default\/hostnames/,
  },
  {
    name: 'a selector with a slip',
    changes: [object('services', 'hostnames', ({ spec: { selector } }) => (selector.app = 'hostname')), noEndpoints],
    roots: ['NoPodMatches svc/default/hostnames', 'NoPodMatches svc/default/hostnames-nodeport'],
    evidence: /nearest: pod default\/hostnames-\S+ has .*app=hostnames/,
  },
  {
    name: 'pods that are not ready',
    changes: [
      object('pods', 'hostnames', ({ status }) => {
        status.conditions.find(({ type }: { type: string }) => type === 'Ready').status = 'False'
        for (const container of status.containerStatuses) container.ready = false
      }),
      noEndpoints,
    ],
    roots: ['PodsNotReady svc/default/hostnames', 'PodsNotReady svc/default/hostnames-nodeport'],
    evidence: /readiness probe fails/,
  },
  { name: 'a pod that is just starting, beside others', changes: [starting(20), left], roots: [] },
  {
    name: 'a pod that should have started long ago',
    changes: [starting(90), left],
    roots: ['PodsNotReady svc/default/hostnames', 'PodsNotReady svc/default/hostnames-nodeport'],
  },
  {
    name: 'a pod that has crashed as it started',
    changes: [starting(20, 1), left],
    roots: ['PodsNotReady svc/default/hostnames', 'PodsNotReady svc/default/hostnames-nodeport'],
  },
  {
    name: 'no selector, and nobody who writes slices',
    changes: [
      object('services', 'hostnames-nodeport', (service) => delete service.spec.selector),
      removeObject('endpointslices', 'hostnames-nodeport'),
    ],
    roots: ['NoEndpoints svc/default/hostnames-nodeport'],
    evidence: /spec\.selector is empty/,
  },
  {
    name: 'slices that do not know a pod',
    changes: [object('endpointslices', 'hostnames-nodeport', (slice) => slice.endpoints.pop())],
    roots: ['EndpointsBehind svc/default/hostnames-nodeport'],
    evidence: /is ready at 10\.244\./,
  },
  {
    name: 'a name of a port that no container has',
    changes: [object('services', 'hostnames-nodeport', ({ spec: { ports } }) => (ports[0].targetPort = 'web'))],
    roots: ['NamedPortMissing svc/default/hostnames-nodeport'],
    evidence: /targetPort: web/,
  },
  {
    name: 'internal policy Local',
    changes: [onNode1, spec('hostnames-nodeport', { internalTrafficPolicy: 'Local' })],
    roots: ['EndpointsBehind svc/default/hostnames-nodeport', 'InternalLocalNoPod svc/default/hostnames-nodeport'],
  },
  {
    name: 'external policy Local and node ports',
    changes: [onNode1, spec('hostnames-nodeport', { externalTrafficPolicy: 'Local' })],
    roots: ['EndpointsBehind svc/default/hostnames-nodeport', 'ExternalLocalNoPod svc/default/hostnames-nodeport'],
    evidence: /endpoints are on node-1/,
  },
  {
    name: 'a load balancer that nobody serves',
    changes: [spec('hostnames-nodeport', { type: 'LoadBalancer', loadBalancerClass: 'example.org/none' })],
    roots: ['LoadBalancerPending svc/default/hostnames-nodeport'],
    evidence: /loadBalancerClass example\.org\/none/,
  },
  {
    name: 'ranges that are none',
    changes: [balanced({ loadBalancerSourceRanges: ['192.0.2.0/33'] })],
    roots: ['SourceRangesUnfit svc/default/hostnames-nodeport'],
  },
  {
    name: 'ranges that leave out pods and nodes, asked about',
    changes: [balanced({ loadBalancerSourceRanges: ['198.51.100.0/24'] })],
    only: 'default/hostnames-nodeport',
    roots: ['SourceRangesExclude svc/default/hostnames-nodeport'],
    evidence: /pods of node-1: 10\.244\.0\.0\/24/,
  },
  {
    name: 'ranges that leave out pods and nodes, as they may',
    changes: [balanced({ loadBalancerSourceRanges: ['198.51.100.0/24'] })],
    roots: [],
  },
  {
    name: 'a Service that is another name for itself',
    changes: [
      addObject('services', 'Service', {
        metadata: { namespace: 'default', name: 'alias' },
        spec: { type: 'ExternalName', externalName: 'alias.default.svc.cluster.local' },
      }),
    ],
    roots: ['NameLoop svc/default/alias'],
  },
  {
    name: 'no DNS that is ready',
    changes: [
      object('endpointslices', 'kube-dns', (slice) => {
        for (const { conditions } of slice.endpoints) conditions.ready = false
      }),
    ],
    roots: ['DnsDown svc/kube-system/kube-dns'],
  },
  ...[
    'rewrite name hostnames.default.svc.cluster.local old.example.org',
    'rewrite name regex (.*)nodeport.default.svc.cluster.local {1}gone.example.org',
  ].map((line): Row => ({
    name: line,
    changes: [corefile(line)],
    roots: [`NameRewritten svc/default/hostnames${line.includes('regex') ? '-nodeport' : ''}`],
    evidence: /line 13 of the Corefile: rewrite name/,
  })),
  {
    name: 'a template that is too wide',
    changes: [corefile('template IN A default.svc.cluster.local {\\n answer \\"{{ .Name }} 60 IN A 192.0.2.1\\"\\n }')],
    roots: ['NameRewritten configmap/kube-system/kube-dns'],
  },
  {
    name: 'a table of hosts with an old address',
    changes: [corefile('hosts {\\n 192.0.2.9 hostnames.default.svc.cluster.local\\n fallthrough\\n }')],
    roots: ['NameRewritten svc/default/hostnames'],
  },
  {
    name: 'a pattern that would take for ever',
    changes: [corefile('rewrite name regex (([a-z.-]+)+)+ {1}')],
    roots: [],
  },
  {
    name: 'a rewrite of a name that is no Service',
    changes: [corefile('rewrite name shop.example.org hostnames.default.svc.cluster.local')],
    roots: [],
  },
  {
    name: 'a pod with the DNS of its node',
    changes: [
      object(
        'pods',
        'hostnames',
        (pod) => (pod.spec.dnsPolicy = pod.status.podIP === '10.244.1.3' ? 'Default' : 'ClusterFirst'),
      ),
    ],
    roots: ['AsksElsewhere pod/default/hostnames-5c8dd7776d-bd7vg'],
    evidence: /dnsPolicy: Default/,
  },
  {
    name: 'a pod with many suffixes',
    changes: [
      object('pods', 'hostnames-5c8dd7776d-bd7vg', (pod) => {
        pod.spec.dnsConfig = { searches: ['a.example', 'b.example', 'c.example', 'd.example'] }
      }),
    ],
    roots: ['SearchExpansion pod/default/hostnames-5c8dd7776d-bd7vg'],
  },
  {
    name: 'a policy without an ingress rule',
    changes: [policy([])],
    roots: ['PolicyDenies svc/default/hostnames', 'PolicyDenies svc/default/hostnames-nodeport'],
  },
  { name: 'a policy that opens the port', changes: [policy([{ ports: [{ port: 9376 }] }])], roots: [] },
  {
    name: 'two nodes with one range of pods',
    changes: [
      object('nodes', 'node-2', (node) =>
        Object.assign(node.spec, { podCIDR: '10.244.0.0/23', podCIDRs: ['10.244.0.0/23'] }),
      ),
    ],
    roots: ['RangesOverlap node/node-2'],
    evidence: /node node-1: spec\.podCIDR: 10\.244\.0\.0\/24/,
  },
]

testRows('objects', rows, [objectsOnly])
