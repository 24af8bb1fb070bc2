// API group apiregistration (apiregistration/v1), as schema rows: the grammar of a row is in schema.ts.

export const apiregistration = {
  APIService: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '0 meta.ObjectMeta',
    spec: '0 APIServiceSpec',
    status: '0 APIServiceStatus',
  },
  APIServiceCondition: {
    lastTransitionTime: '0 Time',
    message: '0 string',
    reason: '0 string',
    status: '0 string!',
    type: '0 string!',
  },
  APIServiceSpec: {
    caBundle: '0 bytes list=atomic',
    group: '0 string',
    groupPriorityMinimum: '0 int32! default=0',
    insecureSkipTLSVerify: '0 bool',
    service: '0 ServiceReference?',
    version: '0 string',
    versionPriority: '0 int32! default=0',
  },
  APIServiceStatus: {
    conditions: '0 [APIServiceCondition] merge=type list=map keys=type',
  },
  ServiceReference: {
    name: '0 string',
    namespace: '0 string',
    port: '0 int32?',
  },
} as const
