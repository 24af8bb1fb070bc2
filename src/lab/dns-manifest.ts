// The cluster's DNS: two pods behind the Service kube-dns, as every cluster has it.
import type { Manifest } from '#lab/manifest.ts'
import { type ClusterOptions, serviceAddresses } from '#lab/options.ts'

const labels = { 'k8s-app': 'kube-dns' }
const inSystem = (name: string) => ({ name, namespace: 'kube-system', labels })
const folder = '/etc/fairway-dns'

/** The objects, in the order in which they are applied. */
export const dnsManifests = (options: ClusterOptions): readonly Manifest[] =>
  [account, configOf(options), deployment, serviceOf(options)].map((object) => ({ object, place: 'the cluster’s DNS' }))

const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inSystem('kube-dns') }

const configOf = ({ clusterDomain }: ClusterOptions) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: inSystem('kube-dns'),
  data: {
    Corefile: `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
       health_check 5s
    }
    cache 30
    loop
    reload
    loadbalance
}
`,
  },
})

const port = (name: string, containerPort: number, protocol: 'TCP' | 'UDP') => ({ name, containerPort, protocol })
const probe = (path: string, port: number) => ({ httpGet: { path, port } })

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: inSystem('kube-dns'),
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: 'kube-dns',
        priorityClassName: 'system-cluster-critical',
        dnsPolicy: 'Default',
        tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
        containers: [
          {
            name: 'dns',
            image: 'fairway',
            args: ['dns', '--conf', `${folder}/Corefile`],
            ports: [
              port('dns', 53, 'UDP'),
              port('dns-tcp', 53, 'TCP'),
              port('metrics', 9153, 'TCP'),
              port('liveness-probe', 8080, 'TCP'),
              port('readiness-probe', 8181, 'TCP'),
            ],
            livenessProbe: {
              ...probe('/health', 8080),
              initialDelaySeconds: 60,
              failureThreshold: 5,
              timeoutSeconds: 5,
            },
            readinessProbe: probe('/ready', 8181),
            volumeMounts: [{ name: 'config', mountPath: folder, readOnly: true }],
          },
        ],
        volumes: [{ name: 'config', configMap: { name: 'kube-dns' } }],
      },
    },
  },
}

const serviceOf = (options: ClusterOptions) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    ...inSystem('kube-dns'),
    labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
    annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
  },
  spec: {
    selector: labels,
    clusterIP: serviceAddresses(options).dns,
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      { name: 'metrics', port: 9153, protocol: 'TCP' },
    ],
  },
})
