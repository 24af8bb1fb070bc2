// Who may do what, as Kubernetes' default roles say for the parts of a cluster (plugin/pkg/auth/authorizer/rbac/
// bootstrappolicy), and for service accounts the few that parts here run under.

import type { Rule } from '#apiserver/auth/rules.ts'

export type Role = {
  readonly name: string
  /** given to users of these names and groups; a group of `system:serviceaccounts:NS` is a namespace's accounts */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  readonly rules: readonly Rule[]
}

const read = ['get', 'list', 'watch']
const write = ['create', 'update', 'patch', 'delete']
const rule = (groups: string, resources: string, verbs: readonly string[]): Rule => ({
  groups: groups.split(' ').map((group) => (group === 'core' ? '' : group)),
  resources: resources.split(' '),
  verbs,
})
const events = rule('core events.k8s.io', 'events', ['create', 'patch', 'update'])

/** For everyone who is known: what discovery and reviews of oneself need. */
const basic: Role = {
  name: 'system:basic-user',
  groups: ['system:authenticated'],
  rules: [
    {
      verbs: ['get'],
      paths: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/version', '/version/'],
    },
    { verbs: ['get'], paths: ['/healthz', '/livez', '/readyz', '/healthz/*', '/livez/*', '/readyz/*'] },
    rule('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', ['create']),
    rule('authentication.k8s.io', 'selfsubjectreviews', ['create']),
  ],
}

const admin: Role = {
  name: 'cluster-admin',
  groups: ['system:masters'],
  rules: [
    { verbs: ['*'], groups: ['*'], resources: ['*'] },
    { verbs: ['*'], paths: ['*'] },
  ],
}

const node: Role = {
  name: 'system:node',
  groups: ['system:nodes'],
  rules: [
    rule('core', 'services endpoints configmaps secrets persistentvolumeclaims persistentvolumes namespaces', read),
    rule('discovery.k8s.io', 'endpointslices', read),
    rule('core', 'nodes', ['create', ...read, 'update', 'patch']),
    rule('core', 'nodes/status', ['update', 'patch']),
    rule('core', 'pods', [...read, 'create', 'delete']),
    rule('core', 'pods/status', ['update', 'patch']),
    rule('core', 'pods/eviction', ['create']),
    rule('core', 'serviceaccounts', ['get']),
    rule('core', 'serviceaccounts/token', ['create']),
    rule('core', 'persistentvolumeclaims/status', ['get', 'update', 'patch']),
    rule('coordination.k8s.io', 'leases', ['get', 'create', 'update', 'patch', 'delete']),
    rule('storage.k8s.io', 'volumeattachments csidrivers', read),
    rule('storage.k8s.io', 'csinodes', [...read, ...write]),
    rule('authentication.k8s.io', 'tokenreviews', ['create']),
    rule('authorization.k8s.io', 'subjectaccessreviews localsubjectaccessreviews', ['create']),
    rule('certificates.k8s.io', 'certificatesigningrequests', ['create', ...read]),
    rule('node.k8s.io', 'runtimeclasses', read),
    events,
  ],
}

/** On a node one process runs the agent, the proxy and the pod network: its identity is the node's. */
const proxy: Role = {
  name: 'system:node-proxier',
  users: ['system:kube-proxy'],
  groups: ['system:nodes'],
  rules: [
    rule('core', 'services endpoints', ['list', 'watch']),
    rule('core', 'nodes', read),
    rule('discovery.k8s.io', 'endpointslices', ['list', 'watch']),
    rule('networking.k8s.io', 'servicecidrs', ['list', 'watch']),
    events,
  ],
}

const dns: Role = {
  name: 'system:kube-dns',
  users: ['system:serviceaccount:kube-system:kube-dns', 'system:serviceaccount:kube-system:coredns'],
  rules: [
    rule('core', 'services endpoints pods namespaces', ['list', 'watch']),
    rule('discovery.k8s.io', 'endpointslices', ['list', 'watch']),
    rule('core', 'nodes', ['get']),
  ],
}

/** All controllers run under one name here; upstream each has a role of its own, of which this is the union. */
const controllers: Role = {
  name: 'system:kube-controller-manager',
  users: ['system:kube-controller-manager', 'system:kube-scheduler'],
  rules: [
    rule('*', '*', read),
    rule('core', 'pods endpoints services configmaps serviceaccounts namespaces nodes secrets', [
      ...write,
      'deletecollection',
    ]),
    rule('core', 'pods/status services/status namespaces/status nodes/status', ['update', 'patch']),
    rule('core', 'pods/binding bindings', ['create']),
    rule('core', 'namespaces/finalize', ['update']),
    rule('core', 'persistentvolumes persistentvolumeclaims', write),
    rule('core', 'persistentvolumes/status persistentvolumeclaims/status', ['update', 'patch']),
    rule('core', 'serviceaccounts/token', ['create']),
    rule('apps batch discovery.k8s.io coordination.k8s.io storage.k8s.io networking.k8s.io policy', '*', [
      ...write,
      'deletecollection',
    ]),
    // Namespaces are emptied of everything, and orphans of any kind are collected.
    rule('*', '*', ['delete', 'deletecollection', 'patch', 'update']),
    rule('authentication.k8s.io', 'tokenreviews', ['create']),
    rule('authorization.k8s.io', 'subjectaccessreviews', ['create']),
    events,
  ],
}

const monitoring: Role = {
  name: 'system:monitoring',
  groups: ['system:monitoring'],
  rules: [{ verbs: ['get'], paths: ['/metrics', '/metrics/*'] }],
}

export const roles: readonly Role[] = [admin, basic, node, proxy, dns, controllers, monitoring]
