// API group coordination (coordination/v1), as schema rows: the grammar of a row is in schema.ts.

export const coordination = {
  Lease: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 LeaseSpec',
  },
  LeaseSpec: {
    holderIdentity: '1 string?',
    leaseDurationSeconds: '2 int32?',
    acquireTime: '3 MicroTime?',
    renewTime: '4 MicroTime?',
    leaseTransitions: '5 int32?',
    strategy: '6 string?',
    preferredHolder: '7 string?',
  },
} as const
