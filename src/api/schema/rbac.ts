// API group rbac (rbac/v1), as schema rows: the grammar of a row is in schema.ts.

export const rbac = {
  AggregationRule: {
    clusterRoleSelectors: '1 [meta.LabelSelector] list=atomic',
  },
  ClusterRole: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    rules: '2 [PolicyRule] always list=atomic',
    aggregationRule: '3 AggregationRule?',
  },
  ClusterRoleBinding: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    subjects: '2 [Subject] list=atomic',
    roleRef: '3 RoleRef!',
  },
  PolicyRule: {
    verbs: '1 [string]! list=atomic',
    apiGroups: '2 [string] list=atomic',
    resources: '3 [string] list=atomic',
    resourceNames: '4 [string] list=atomic',
    nonResourceURLs: '5 [string] list=atomic',
  },
  Role: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    rules: '2 [PolicyRule] always list=atomic',
  },
  RoleBinding: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    subjects: '2 [Subject] list=atomic',
    roleRef: '3 RoleRef!',
  },
  RoleRef: {
    '@': 'atomic',
    apiGroup: '1 string always',
    kind: '2 string!',
    name: '3 string!',
  },
  Subject: {
    '@': 'atomic',
    kind: '1 string!',
    apiGroup: '2 string',
    name: '3 string!',
    namespace: '4 string',
  },
} as const
