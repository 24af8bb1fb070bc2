// What a machine may that joins with a bootstrap token, and what its node may that Kubernetes gives to others: kubeadm makes
// such bindings for its clusters. The node's own parts read Services and their endpoints as the node.

import type { ClusterRoleBinding, Role, RoleBinding, Subject } from '#api/rbac.ts'

const apiGroup = 'rbac.authorization.k8s.io'
const group = (name: string): Subject => ({ kind: 'Group', apiGroup, name })
const account = (name: string): Subject => ({ kind: 'ServiceAccount', namespace: 'kube-system', name })
const user = (name: string): Subject => ({ kind: 'User', apiGroup, name })

/** As with Kubernetes' own: whoever sets this to false keeps them as they are. */
const marks = {
  labels: { 'kubernetes.io/bootstrapping': 'fairway-join' },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
}

const bind = (name: string, role: string, ...subjects: Subject[]): ClusterRoleBinding => ({
  metadata: { name, ...marks },
  roleRef: { apiGroup, kind: 'ClusterRole', name: role },
  subjects,
})
const requests = 'system:certificates.k8s.io:certificatesigningrequests'

export const joinBindings: readonly ClusterRoleBinding[] = [
  bind('fairway:node-bootstrapper', 'system:node-bootstrapper', group('system:bootstrappers')),
  bind('fairway:node-autoapprove-bootstrap', `${requests}:nodeclient`, group('system:bootstrappers')),
  bind('fairway:node-autoapprove-certificate-rotation', `${requests}:selfnodeclient`, group('system:nodes')),
  bind('fairway:node-proxier', 'system:node-proxier', group('system:nodes')),
]

const publisher = { name: 'fairway:cluster-info-publisher', namespace: 'kube-public', ...marks }
const clusterInfo = { name: 'fairway:cluster-info', namespace: 'kube-public', ...marks }

/** Everyone may see which authority the server has; the token proves that it is the right one. */
export const joinRoles: readonly Role[] = [
  // Kubernetes' own role lets it only be changed: there kubeadm makes it.
  { metadata: publisher, rules: [{ verbs: ['create'], apiGroups: [''], resources: ['configmaps'] }] },
  {
    metadata: clusterInfo,
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['cluster-info'] }],
  },
]
export const joinRoleBindings: readonly RoleBinding[] = [
  {
    metadata: publisher,
    roleRef: { apiGroup, kind: 'Role', name: publisher.name },
    subjects: [account('bootstrap-signer')],
  },
  {
    metadata: clusterInfo,
    roleRef: { apiGroup, kind: 'Role', name: clusterInfo.name },
    subjects: [user('system:anonymous')],
  },
]
