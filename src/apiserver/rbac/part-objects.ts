// Roles that Fairway's own parts need beyond those that every cluster begins with, as the manifests of CoreDNS and flannel
// give them. They are there before the first request, so that no part is ever refused what it may do.

import type { ClusterRole, ClusterRoleBinding, Subject } from '#api/rbac.ts'
import { balancerUser, flannelUser, provisionerUser } from '#api/rbac/part-users.ts'

const apiGroup = 'rbac.authorization.k8s.io'
/** As with Kubernetes' own: whoever sets this to false keeps them as they are. */
const marks = {
  labels: { 'kubernetes.io/bootstrapping': 'fairway-parts' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
}

const rule = (group: string, resources: string[], verbs: string[]) => ({ apiGroups: [group], resources, verbs })
const role = (name: string, rules: ReturnType<typeof rule>[]): ClusterRole => ({ metadata: { name, ...marks }, rules })
/** Of the role of the same name, where none is given. */
const bind = (name: string, subject: Subject, of = name): ClusterRoleBinding => ({
  metadata: { name, ...marks },
  roleRef: { apiGroup, kind: 'ClusterRole', name: of },
  subjects: [subject],
})
const user = (name: string): Subject => ({ kind: 'User', apiGroup, name })
const account = (name: string): Subject => ({ kind: 'ServiceAccount', namespace: 'kube-system', name })

const reads = ['get', 'list', 'watch']
const follows = ['list', 'watch']
const events = rule('', ['events'], ['create', 'patch', 'update'])

export const partRoles: readonly ClusterRole[] = [
  role('flannel', [
    rule('', ['pods'], ['get']),
    rule('', ['nodes'], reads),
    rule('', ['nodes/status'], ['patch']),
    events,
  ]),
  role('system:fairway-provisioner', [
    rule('', ['persistentvolumes'], [...reads, 'create', 'patch', 'delete']),
    rule('', ['persistentvolumeclaims'], reads),
    rule('', ['persistentvolumeclaims/status'], ['patch']),
    rule('', ['nodes'], reads),
    rule('', ['namespaces'], ['get']),
    rule('storage.k8s.io', ['storageclasses'], reads),
    events,
  ]),
  role('system:coredns', [
    rule('', ['endpoints', 'services', 'pods', 'namespaces'], follows),
    rule('discovery.k8s.io', ['endpointslices'], follows),
    rule('', ['nodes'], ['get']),
  ]),
  role('fairway-ingress', [
    rule('', ['services', 'secrets'], follows),
    rule('discovery.k8s.io', ['endpointslices'], follows),
    rule('networking.k8s.io', ['ingresses', 'ingressclasses'], follows),
    rule('networking.k8s.io', ['ingresses/status'], ['patch', 'update']),
    rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update']),
    events,
  ]),
]

export const partBindings: readonly ClusterRoleBinding[] = [
  bind('flannel', user(flannelUser)),
  bind('system:fairway-balancer', user(balancerUser), 'system:controller:service-controller'),
  bind('system:fairway-provisioner', user(provisionerUser)),
  bind('system:coredns', account('kube-dns')),
  bind('fairway-ingress', account('fairway-ingress')),
]
