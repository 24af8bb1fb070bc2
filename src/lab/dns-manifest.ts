// The cluster's DNS: two pods behind the Service kube-dns, as every cluster has it; and a server on each node where that
// is wanted.
import type { Manifest } from '#lab/manifest.ts'
import { type ClusterOptions, serviceAddresses } from '#lab/options.ts'

const labels = { 'k8s-app': 'kube-dns' }
const inSystem = (name: string) => ({ name, namespace: 'kube-system', labels })
const folder = '/etc/fairway-dns'

/** The objects, in the order in which they are applied. */
export const dnsManifests = (options: ClusterOptions): readonly Manifest[] =>
  [
    account,
    configOf(options),
    deployment,
    serviceOf(options),
    ...(options.nodeLocalDns ? [nodeLocalConfigOf(options), nodeLocalOf(options)] : []),
  ].map((object) => ({ object, place: 'the cluster’s DNS' }))

const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inSystem('kube-dns') }

const configOf = ({ clusterDomain }: ClusterOptions) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: inSystem('kube-dns'),
  data: { Corefile: corefile(clusterDomain, '') },
})

/** `host` is where health, readiness and metrics listen; '': everywhere. */
const corefile = (clusterDomain: string, host: string) => `.:53 {
    errors
    health ${host}:8080 {
       lameduck 5s
    }
    ready ${host}:8181
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus ${host}:9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

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

/** The address that node-local-dns has everywhere. */
export const nodeLocalAddress = '169.254.20.10'
const nodeLocalName = 'node-local-dns'
const nodeLocalLabels = { 'k8s-app': nodeLocalName }

const nodeLocalConfigOf = ({ clusterDomain }: ClusterOptions) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...inSystem(nodeLocalName), labels: nodeLocalLabels },
  data: { Corefile: corefile(clusterDomain, nodeLocalAddress) },
})

/** Pods ask the Service's address as ever; on each node that address is the node's own server's, as long as it runs. */
const nodeLocalOf = (options: ClusterOptions) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { ...inSystem(nodeLocalName), labels: nodeLocalLabels },
  spec: {
    selector: { matchLabels: nodeLocalLabels },
    template: {
      metadata: { labels: nodeLocalLabels },
      spec: {
        serviceAccountName: 'kube-dns',
        priorityClassName: 'system-node-critical',
        hostNetwork: true,
        dnsPolicy: 'Default',
        tolerations: [{ operator: 'Exists' }],
        containers: [
          {
            name: 'dns',
            image: 'fairway',
            args: [
              'dns',
              '--conf',
              `${folder}/Corefile`,
              '--node-local',
              `${nodeLocalAddress},${serviceAddresses(options).dns}`,
            ],
            securityContext: { capabilities: { add: ['NET_ADMIN'] } },
            readinessProbe: {
              httpGet: { host: nodeLocalAddress, path: '/ready', port: 8181 },
              periodSeconds: 1,
            },
            volumeMounts: [
              { name: 'config', mountPath: folder, readOnly: true },
              { name: 'tun', mountPath: '/dev/net/tun' },
            ],
          },
        ],
        volumes: [
          { name: 'config', configMap: { name: nodeLocalName } },
          { name: 'tun', hostPath: { path: '/dev/net/tun', type: 'CharDevice' } },
        ],
      },
    },
  },
})
