// API group policy (policy/v1), as schema rows: the grammar of a row is in schema.ts.

export const policy = {
  Eviction: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    deleteOptions: '2 meta.DeleteOptions?',
  },
  PodDisruptionBudget: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 PodDisruptionBudgetSpec',
    status: '3 PodDisruptionBudgetStatus',
  },
  PodDisruptionBudgetSpec: {
    minAvailable: '1 IntOrString?',
    selector: '2 meta.LabelSelector? patch=replace',
    maxUnavailable: '3 IntOrString?',
    unhealthyPodEvictionPolicy: '4 string?',
  },
  PodDisruptionBudgetStatus: {
    observedGeneration: '1 int64',
    disruptedPods: '2 {Time}',
    disruptionsAllowed: '3 int32 always default=0',
    currentHealthy: '4 int32 always default=0',
    desiredHealthy: '5 int32 always default=0',
    expectedPods: '6 int32 always default=0',
    conditions: '7 [meta.Condition] merge=type list=map keys=type',
  },
} as const
