// The cluster's Ingress controller, where one is wanted: a pod behind a Service of type LoadBalancer, and the default
// IngressClass.
import type { Manifest } from '#lab/manifest.ts'

const labels = { app: 'fairway-ingress' }
const name = 'fairway-ingress'
const metadata = { name, namespace: 'kube-system', labels }
/** Where the pod answers about itself. */
const healthPort = 10254

const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }

const ingressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: {
    name: 'fairway',
    labels,
    annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
  },
  spec: { controller: 'fairway/ingress' },
}

const probe = (path: string) => ({ httpGet: { path, port: healthPort }, periodSeconds: 1, failureThreshold: 3 })

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: name,
        priorityClassName: 'system-cluster-critical',
        containers: [
          {
            name: 'ingress',
            image: 'fairway',
            args: [
              'ingress',
              '--publish-service',
              `kube-system/${name}`,
              '--health-address',
              `0.0.0.0:${healthPort}`,
              '--leader-elect',
            ],
            ports: [
              { name: 'http', containerPort: 80 },
              { name: 'https', containerPort: 443 },
              { name: 'metrics', containerPort: healthPort },
            ],
            livenessProbe: { ...probe('/livez'), periodSeconds: 10 },
            readinessProbe: probe('/readyz'),
          },
        ],
      },
    },
  },
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: {
    type: 'LoadBalancer',
    // The controller sees the client's own address.
    externalTrafficPolicy: 'Local',
    selector: labels,
    ports: [
      { name: 'http', port: 80, targetPort: 'http', appProtocol: 'http' },
      { name: 'https', port: 443, targetPort: 'https', appProtocol: 'https' },
    ],
  },
}

/** The objects, in the order in which they are applied. */
export const ingressManifests: readonly Manifest[] = [account, ingressClass, deployment, service].map((object) => ({
  object,
  place: 'the cluster’s Ingress controller',
}))
