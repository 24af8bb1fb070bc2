// API group scheduling (scheduling/v1), as schema rows: the grammar of a row is in schema.ts.

export const scheduling = {
  PriorityClass: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    value: '2 int32 always default=0',
    globalDefault: '3 bool',
    description: '4 string',
    preemptionPolicy: '5 string?',
  },
} as const
