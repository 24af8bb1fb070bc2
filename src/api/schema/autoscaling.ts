// API group autoscaling (autoscaling/v1), as schema rows: the grammar of a row is in schema.ts.

export const autoscaling = {
  CrossVersionObjectReference: {
    '@': 'atomic',
    kind: '1 string!',
    name: '2 string!',
    apiVersion: '3 string',
  },
  HorizontalPodAutoscaler: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 HorizontalPodAutoscalerSpec!',
    status: '3 HorizontalPodAutoscalerStatus',
  },
  HorizontalPodAutoscalerSpec: {
    scaleTargetRef: '1 CrossVersionObjectReference!',
    minReplicas: '2 int32?',
    maxReplicas: '3 int32! default=0',
    targetCPUUtilizationPercentage: '4 int32?',
  },
  HorizontalPodAutoscalerStatus: {
    observedGeneration: '1 int64?',
    lastScaleTime: '2 Time?',
    currentReplicas: '3 int32! default=0',
    desiredReplicas: '4 int32! default=0',
    currentCPUUtilizationPercentage: '5 int32?',
  },
  Scale: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 ScaleSpec',
    status: '3 ScaleStatus',
  },
  ScaleSpec: {
    replicas: '1 int32 default=0',
  },
  ScaleStatus: {
    replicas: '1 int32! default=0',
    selector: '2 string',
  },
} as const
