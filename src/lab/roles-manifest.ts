// Roles that a cluster's own add-ons need beyond those that every cluster begins with, as the manifests of CoreDNS and
// flannel give them.
import type { Manifest } from '#lab/manifest.ts'

/** As whom the pod network of each node speaks. */
export const flannelUser = 'system:kube-flannel'
/** As whom the provisioner of each node speaks. */
export const provisionerUser = 'system:fairway-provisioner'
/** As whom the appliance speaks; its role is Kubernetes' own for a service controller. */
export const balancerUser = 'system:fairway-balancer'

const group = 'rbac.authorization.k8s.io'
const rule = (apiGroup: string, resources: readonly string[], verbs: readonly string[]) => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
})
const role = (name: string, rules: readonly object[]) => ({
  apiVersion: `${group}/v1`,
  kind: 'ClusterRole',
  metadata: { name },
  rules,
})
/** Of the role of the same name, where none is given. */
const binding = (name: string, subject: object, role = name) => ({
  apiVersion: `${group}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
  subjects: [subject],
})

/** The objects, in the order in which they are applied. */
export const rolesManifests: readonly Manifest[] = [
  role('flannel', [
    rule('', ['pods'], ['get']),
    rule('', ['nodes'], ['get', 'list', 'watch']),
    rule('', ['nodes/status'], ['patch']),
    rule('', ['events'], ['create', 'patch', 'update']),
  ]),
  binding('flannel', { kind: 'User', apiGroup: group, name: flannelUser }),
  binding(
    'system:fairway-balancer',
    { kind: 'User', apiGroup: group, name: balancerUser },
    'system:controller:service-controller',
  ),
  role('system:fairway-provisioner', [
    rule('', ['persistentvolumes'], ['get', 'list', 'watch', 'create', 'patch', 'delete']),
    rule('', ['persistentvolumeclaims'], ['get', 'list', 'watch']),
    rule('', ['persistentvolumeclaims/status'], ['patch']),
    rule('', ['nodes'], ['get', 'list', 'watch']),
    rule('', ['namespaces'], ['get']),
    rule('', ['events'], ['create', 'patch', 'update']),
    rule('storage.k8s.io', ['storageclasses'], ['get', 'list', 'watch']),
  ]),
  binding('system:fairway-provisioner', { kind: 'User', apiGroup: group, name: provisionerUser }),
  role('system:coredns', [
    rule('', ['endpoints', 'services', 'pods', 'namespaces'], ['list', 'watch']),
    rule('discovery.k8s.io', ['endpointslices'], ['list', 'watch']),
    rule('', ['nodes'], ['get']),
  ]),
  role('fairway-ingress', [
    rule('', ['services', 'secrets'], ['list', 'watch']),
    rule('discovery.k8s.io', ['endpointslices'], ['list', 'watch']),
    rule('networking.k8s.io', ['ingresses', 'ingressclasses'], ['list', 'watch']),
    rule('networking.k8s.io', ['ingresses/status'], ['patch', 'update']),
    rule('', ['events'], ['create', 'patch', 'update']),
    rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update']),
  ]),
  binding('fairway-ingress', { kind: 'ServiceAccount', name: 'fairway-ingress', namespace: 'kube-system' }),
  binding('system:coredns', { kind: 'ServiceAccount', name: 'kube-dns', namespace: 'kube-system' }),
].map((object) => ({ object, place: 'the roles of the cluster’s add-ons' }))
