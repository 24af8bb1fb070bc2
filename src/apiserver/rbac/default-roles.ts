// The cluster roles that every cluster begins with (plugin/pkg/auth/authorizer/rbac/bootstrappolicy of Kubernetes 1.36).
// A rule is `verbs | API groups | resources | names`, or `verbs | paths`; `core` is the group without a name.

export type RoleTable = Readonly<Record<string, readonly string[]>>

export const defaultRoles: RoleTable = {
  'cluster-admin': ['* | * | *', '* | *'],
  'system:aggregate-to-admin': [
    'create | authorization.k8s.io | localsubjectaccessreviews',
    'get list watch create update patch delete deletecollection | rbac.authorization.k8s.io | rolebindings roles',
  ],
  'system:aggregate-to-edit': [
    'get list watch | core | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy',
    'impersonate | core | serviceaccounts',
    'create update patch delete deletecollection | core | pods pods/attach pods/exec pods/portforward pods/proxy',
    'create | core | pods/eviction',
    'create update patch delete deletecollection | core | configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    'create | core | serviceaccounts/token',
    'create update patch delete deletecollection | core events.k8s.io | events',
    'create update patch delete deletecollection | apps | daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
    'create update patch delete deletecollection | autoscaling | horizontalpodautoscalers',
    'create update patch delete deletecollection | batch | cronjobs jobs',
    'create update patch delete deletecollection | extensions | daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale',
    'create update patch delete deletecollection | policy | poddisruptionbudgets',
    'create update patch delete deletecollection | networking.k8s.io | ingresses networkpolicies',
    'get list watch create update patch delete deletecollection | coordination.k8s.io | leases',
    'create update patch delete deletecollection | resource.k8s.io | resourceclaims resourceclaimtemplates',
  ],
  'system:aggregate-to-view': [
    'get list watch | core | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    'get list watch | core | bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    'get list watch | core | namespaces',
    'get list watch | core events.k8s.io | events',
    'get list watch | discovery.k8s.io | endpointslices',
    'get list watch | apps | controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
    'get list watch | autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status',
    'get list watch | batch | cronjobs cronjobs/status jobs jobs/status',
    'get list watch | extensions | daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale',
    'get list watch | policy | poddisruptionbudgets poddisruptionbudgets/status',
    'get list watch | networking.k8s.io | ingresses ingresses/status networkpolicies',
    'get list watch | resource.k8s.io | resourceclaims resourceclaims/status resourceclaimtemplates',
  ],
  'system:auth-delegator': [
    'create | authentication.k8s.io | tokenreviews',
    'create | authorization.k8s.io | subjectaccessreviews',
  ],
  'system:basic-user': [
    'create | authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews',
    'create | authentication.k8s.io | selfsubjectreviews',
  ],
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
    'create | certificates.k8s.io | certificatesigningrequests/nodeclient',
  ],
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': [
    'create | certificates.k8s.io | certificatesigningrequests/selfnodeclient',
  ],
  'system:certificates.k8s.io:kube-apiserver-client-approver': [
    'approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client',
  ],
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver': [
    'approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet',
  ],
  'system:certificates.k8s.io:kubelet-serving-approver': [
    'approve | certificates.k8s.io | signers | kubernetes.io/kubelet-serving',
  ],
  'system:certificates.k8s.io:legacy-unknown-approver': [
    'approve | certificates.k8s.io | signers | kubernetes.io/legacy-unknown',
  ],
  'system:discovery': [
    'get | /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/',
  ],
  'system:heapster': [
    'get list watch | core | events namespaces nodes pods',
    'get list watch | extensions | deployments',
  ],
  'system:kube-aggregator': ['get list watch | core | endpoints services'],
  'system:kube-controller-manager': [
    'create update patch | core events.k8s.io | events',
    'create | coordination.k8s.io | leases',
    'get update | coordination.k8s.io | leases | kube-controller-manager',
    'create | core | secrets serviceaccounts',
    'delete | core | secrets',
    'get | core | configmaps namespaces secrets serviceaccounts',
    'update | core | secrets serviceaccounts',
    'create | authentication.k8s.io | tokenreviews',
    'create | authorization.k8s.io | subjectaccessreviews',
    'list watch | * | *',
    'create | core | serviceaccounts/token',
  ],
  'system:kube-dns': ['list watch | core | endpoints services'],
  'system:kube-scheduler': [
    'create update patch | core events.k8s.io | events',
    'create | coordination.k8s.io | leases',
    'get list watch update | coordination.k8s.io | leases | kube-scheduler',
    'get list watch create update patch delete deletecollection | coordination.k8s.io | leasecandidates',
    'get list watch | core | nodes',
    'get list watch delete | core | pods',
    'create | core | bindings pods/binding',
    'update patch | core | pods/status',
    'get list watch | core | replicationcontrollers services',
    'get list watch | apps extensions | replicasets',
    'get list watch | apps | statefulsets',
    'get list watch | policy | poddisruptionbudgets',
    'get list watch | core | persistentvolumeclaims persistentvolumes',
    'create | authentication.k8s.io | tokenreviews',
    'create | authorization.k8s.io | subjectaccessreviews',
    'get list watch | storage.k8s.io | csinodes',
    'get list watch | storage.k8s.io | volumeattachments',
    'get list watch | core | namespaces',
    'get list watch | storage.k8s.io | csidrivers',
    'get list watch | storage.k8s.io | csistoragecapacities',
    'get list watch | resource.k8s.io | deviceclasses',
    'get list watch update patch | resource.k8s.io | resourceclaims',
    'get list watch update patch | resource.k8s.io | resourceclaims/status',
    'update | core | pods/finalizers',
    'get list watch | resource.k8s.io | resourceslices',
    'create delete | resource.k8s.io | resourceclaims',
    'update patch | resource.k8s.io | resourceclaims/binding',
  ],
  'system:kubelet-api-admin': [
    'get list watch | core | nodes',
    'proxy | core | nodes',
    '* | core | nodes/log nodes/metrics nodes/proxy nodes/stats',
    '* | core | nodes/configz nodes/healthz nodes/pods',
  ],
  'system:monitoring': [
    'get | /flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz',
    'get | core | nodes/metrics',
  ],
  'system:node': [
    'create | authentication.k8s.io | tokenreviews',
    'create | authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews',
    'get list watch | core | services',
    'get list watch create | core | nodes',
    'update patch | core | nodes/status',
    'update patch | core | nodes',
    'create update patch | core events.k8s.io | events',
    'get list watch | core | pods',
    'create delete | core | pods',
    'update patch | core | pods/status',
    'create | core | pods/eviction',
    'get list watch | core | configmaps secrets',
    'get | core | persistentvolumeclaims persistentvolumes',
    'get | core | endpoints',
    'get list watch create | certificates.k8s.io | certificatesigningrequests',
    'get create update patch delete | coordination.k8s.io | leases',
    'get | storage.k8s.io | volumeattachments',
    'create | core | serviceaccounts/token',
    'get update patch | core | persistentvolumeclaims/status',
    'get list watch | storage.k8s.io | csidrivers',
    'get create update patch delete | storage.k8s.io | csinodes',
    'get list watch | node.k8s.io | runtimeclasses',
    'get | resource.k8s.io | resourceclaims',
    'deletecollection | resource.k8s.io | resourceslices',
    'get | core | serviceaccounts',
  ],
  'system:node-bootstrapper': ['get list watch create | certificates.k8s.io | certificatesigningrequests'],
  'system:node-problem-detector': [
    'get | core | nodes',
    'patch | core | nodes/status',
    'create update patch | core events.k8s.io | events',
  ],
  'system:node-proxier': [
    'list watch | core | endpoints services',
    'get list watch | core | nodes',
    'create update patch | core events.k8s.io | events',
    'list watch | networking.k8s.io | servicecidrs',
    'list watch | discovery.k8s.io | endpointslices',
  ],
  'system:persistent-volume-provisioner': [
    'get list watch create delete | core | persistentvolumes',
    'get list watch update | core | persistentvolumeclaims',
    'get list watch | storage.k8s.io | storageclasses',
    'watch | core | events',
    'create update patch | core events.k8s.io | events',
  ],
  'system:public-info-viewer': ['get | /healthz /livez /readyz /version /version/'],
  'system:service-account-issuer-discovery': [
    'get | /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
  ],
  'system:volume-scheduler': [
    'get list watch update patch | core | persistentvolumes',
    'get list watch | storage.k8s.io | storageclasses',
    'get list watch update patch | core | persistentvolumeclaims',
  ],
}

/** Roles that are made of others: name -> the label of those that it takes in. */
export const aggregates: Readonly<Record<string, string>> = {
  admin: 'aggregate-to-admin',
  edit: 'aggregate-to-edit',
  view: 'aggregate-to-view',
}

/** Which default roles are taken in, and by what label. */
export const aggregated: Readonly<Record<string, string>> = {
  edit: 'aggregate-to-admin',
  view: 'aggregate-to-edit',
  'system:aggregate-to-admin': 'aggregate-to-admin',
  'system:aggregate-to-edit': 'aggregate-to-edit',
  'system:aggregate-to-view': 'aggregate-to-view',
}

/** Who has a role by default: `role <- subjects`; a subject is `User:name`, `Group:name` or `ServiceAccount:namespace/name`. */
export const defaultBindings: RoleTable = {
  'cluster-admin': ['Group:system:masters'],
  'system:basic-user': ['Group:system:authenticated'],
  'system:discovery': ['Group:system:authenticated'],
  'system:kube-controller-manager': ['User:system:kube-controller-manager'],
  'system:kube-dns': ['ServiceAccount:kube-system/kube-dns'],
  'system:kube-scheduler': ['User:system:kube-scheduler'],
  'system:monitoring': ['Group:system:monitoring'],
  // Nodes have their own authorizer: node-access/.
  'system:node': [],
  'system:node-proxier': ['User:system:kube-proxy'],
  'system:public-info-viewer': ['Group:system:authenticated', 'Group:system:unauthenticated'],
  'system:service-account-issuer-discovery': ['Group:system:serviceaccounts'],
  'system:volume-scheduler': ['User:system:kube-scheduler'],
}

type NamespacedRole = {
  readonly namespace: string
  readonly role: string
  readonly rules: readonly string[]
  /** name of the binding; the role's where it has no other */
  readonly binding?: string
  readonly subjects: readonly string[]
}

export const namespacedRoles: readonly NamespacedRole[] = [
  {
    namespace: 'kube-public',
    role: 'system:controller:bootstrap-signer',
    rules: [
      'get list watch | core | configmaps',
      'update | core | configmaps | cluster-info',
      'create update patch | core events.k8s.io | events',
    ],
    subjects: ['ServiceAccount:kube-system/bootstrap-signer'],
  },
  {
    namespace: 'kube-system',
    role: 'extension-apiserver-authentication-reader',
    rules: ['get list watch | core | configmaps | extension-apiserver-authentication'],
    binding: 'system::extension-apiserver-authentication-reader',
    subjects: ['User:system:kube-controller-manager', 'User:system:kube-scheduler'],
  },
  {
    namespace: 'kube-system',
    role: 'system::leader-locking-kube-controller-manager',
    rules: [
      'get list watch create update | coordination.k8s.io | leases',
      'get list watch create update | coordination.k8s.io | leasecandidates',
    ],
    subjects: [
      'User:system:kube-controller-manager',
      'ServiceAccount:kube-system/kube-controller-manager',
      'ServiceAccount:kube-system/leader-election-controller',
    ],
  },
  {
    namespace: 'kube-system',
    role: 'system::leader-locking-kube-scheduler',
    rules: [
      'get list watch create update | coordination.k8s.io | leases',
      'get list watch create update | coordination.k8s.io | leasecandidates',
    ],
    subjects: ['User:system:kube-scheduler', 'ServiceAccount:kube-system/kube-scheduler'],
  },
  {
    namespace: 'kube-system',
    role: 'system:controller:bootstrap-signer',
    rules: ['get list watch | core | secrets'],
    subjects: ['ServiceAccount:kube-system/bootstrap-signer'],
  },
  {
    namespace: 'kube-system',
    role: 'system:controller:cloud-provider',
    rules: ['get list watch create | core | configmaps'],
    subjects: ['ServiceAccount:kube-system/cloud-provider'],
  },
  {
    namespace: 'kube-system',
    role: 'system:controller:token-cleaner',
    rules: ['get list watch delete | core | secrets', 'create update patch | core events.k8s.io | events'],
    subjects: ['ServiceAccount:kube-system/token-cleaner'],
  },
]
