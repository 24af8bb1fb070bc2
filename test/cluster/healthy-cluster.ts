// Healthy clusters of many shapes, out of a seed: flags of `up`, objects, and what is in motion in them.
import { type Random, seeded } from '#test/random.ts'

export type HealthyCluster = {
  readonly flags: readonly string[]
  readonly objects: readonly object[]
  /** commands of kubectl that put it in motion, none of which breaks anything */
  readonly motions: readonly (readonly string[])[]
}

type Program = {
  readonly image: string
  readonly args?: readonly string[]
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: 'TCP' | 'UDP' }[]
}

const programs: readonly Program[] = [
  { image: 'serve_hostname', ports: [{ name: 'http', port: 9376, protocol: 'TCP' }] },
  {
    image: 'agnhost',
    args: ['netexec'],
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'udp', port: 8081, protocol: 'UDP' },
    ],
  },
  {
    image: 'nginx',
    ports: [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'https', port: 443, protocol: 'TCP' },
    ],
  },
]
const workloads = ['Deployment', 'Deployment', 'StatefulSet', 'DaemonSet'] as const
type Workload = (typeof workloads)[number]

export function healthyCluster(seed: number): HealthyCluster {
  const random = seeded(seed)
  const some = (chance: number) => random.next() < chance
  const flags = [
    ['--nodes', String(random.integer(1, 3))],
    ['--proxy-mode', random.pick(['nftables', 'iptables'])],
    ['--pod-network', random.pick(['vxlan', 'host-gw', 'udp'])],
    some(0.2) ? ['--node-local-dns'] : [],
    some(0.2) ? ['--load-balancer', 'appliance'] : [],
    some(0.2) ? ['--hairpin-mode', 'promiscuous-bridge'] : [],
    some(0.2) ? ['--service-cidr', '172.20.0.0/20', '--pod-cidr', '172.21.0.0/16'] : [],
  ].flat()
  const apps = Array.from({ length: random.integer(3, 6) }, (_, i) => ({
    name: `app-${i}`,
    kind: random.pick(workloads),
    program: random.pick(programs),
    replicas: random.integer(1, 4),
    isProbed: some(0.6),
    isSlow: some(0.3),
  }))
  const objects = apps.flatMap((app) => [
    workloadOf(app),
    ...Array.from({ length: random.integer(1, 2) }, (_, i) => serviceOf(app, i, random)),
  ])
  const steady = apps.filter(({ kind }) => kind === 'Deployment').map(({ name }) => name)
  return {
    flags,
    objects: [...objects, ...extras(random)],
    motions: [
      ...steady.slice(0, 1).map((name) => ['rollout', 'restart', `deployment/${name}`]),
      ...steady.slice(1, 2).map((name) => ['scale', `deployment/${name}`, `--replicas=${random.integer(1, 5)}`]),
      ['delete', 'pod', 'lingering', '--wait=false'],
    ],
  }
}

type App = {
  readonly name: string
  readonly kind: Workload
  readonly program: Program
  readonly replicas: number
  readonly isProbed: boolean
  /** takes seconds until it says that it is ready */
  readonly isSlow: boolean
}

function workloadOf({ name, kind, program, replicas, isProbed, isSlow }: App): object {
  const { image, args, ports } = program
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      ...(kind !== 'DaemonSet' && { replicas }),
      ...(kind === 'StatefulSet' && { serviceName: `${name}-0` }),
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [
            {
              name: 'main',
              image,
              ...(args !== undefined && { args }),
              ports: ports.map((one) => ({ name: one.name, containerPort: one.port, protocol: one.protocol })),
              ...(isProbed && {
                readinessProbe: {
                  httpGet: { path: '/', port: ports[0]!.name },
                  periodSeconds: 1,
                  ...(isSlow && { initialDelaySeconds: 6 }),
                },
              }),
            },
          ],
        },
      },
    },
  }
}

function serviceOf({ name, kind, program }: App, i: number, random: Random): object {
  const some = (chance: number) => random.next() < chance
  const type = random.pick(['ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer'])
  const isEverywhere = kind === 'DaemonSet'
  const ports = program.ports.map(({ name: port, port: number, protocol }) => ({
    name: port,
    protocol,
    port: some(0.5) ? number : random.integer(1000, 1999),
    targetPort: some(0.5) ? port : number,
  }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${name}-${i}` },
    spec: {
      selector: { app: name },
      ports,
      ...(type === 'ClusterIP' && some(0.3)
        ? { clusterIP: 'None', ...(some(0.3) && { publishNotReadyAddresses: true }) }
        : {
            type,
            ...(some(0.2) && { sessionAffinity: 'ClientIP' }),
            ...(type !== 'LoadBalancer' &&
              some(0.2) && { externalIPs: [`192.0.2.${10 * Number(name.slice(4)) + i + 1}`] }),
            ...(isEverywhere && some(0.4) && { internalTrafficPolicy: 'Local' }),
            ...(type === 'NodePort' && isEverywhere && some(0.5) && { externalTrafficPolicy: 'Local' }),
            // Whoever balances loads asks nodes whether they have a pod.
            ...(type === 'LoadBalancer' && some(0.5) && { externalTrafficPolicy: 'Local' }),
            ...(type === 'LoadBalancer' && some(0.2) && { loadBalancerSourceRanges: ['0.0.0.0/0'] }),
            ...(some(0.2) && { trafficDistribution: random.pick(['PreferSameNode', 'PreferSameZone']) }),
          }),
    },
  }
}

/** What stands beside: none of it is a fault. */
function extras(random: Random): readonly object[] {
  const all: readonly (readonly object[])[] = [
    [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'elsewhere' },
        spec: { type: 'ExternalName', externalName: 'db.example.org' },
      },
    ],
    [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'by-hand' },
        spec: { ports: [{ name: 'http', port: 80 }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'by-hand-1', labels: { 'kubernetes.io/service-name': 'by-hand' } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
        endpoints: [{ addresses: ['203.0.113.10'] }],
      },
    ],
    [
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'from-pods' },
        spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }, { namespaceSelector: {} }] }] },
      },
    ],
    [
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'done' },
        spec: {
          template: {
            metadata: { labels: { app: 'app-0' } },
            spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'debian', command: ['true'] }] },
          },
        },
      },
    ],
    [
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'on-the-node', labels: { role: 'agent' } },
        spec: {
          hostNetwork: true,
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: 'agnhost', args: ['netexec', '--http-port=18080', '--udp-port=18081'] }],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'on-the-node' },
        spec: { selector: { role: 'agent' }, ports: [{ port: 80, targetPort: 18_080 }] },
      },
    ],
  ]
  // Still there while it ends, beside one that stays.
  const pods = ['lingering', 'staying'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { role: 'last' } },
    spec: {
      terminationGracePeriodSeconds: name === 'lingering' ? 20 : 1,
      containers: [
        {
          name: 'main',
          image: 'agnhost',
          args: ['netexec'],
          ...(name === 'lingering' && { lifecycle: { preStop: { sleep: { seconds: 15 } } } }),
        },
      ],
    },
  }))
  const last = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'last' },
    spec: { selector: { role: 'last' }, ports: [{ port: 80, targetPort: 8080 }] },
  }
  return [...pods, last, ...all.filter(() => random.next() < 0.5).flat()]
}
