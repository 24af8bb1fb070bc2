// Nodes (core/v1), as schema rows: the grammar of a row is in schema.ts.

export const coreNode = {
  AttachedVolume: {
    name: '1 string!',
    devicePath: '2 string!',
  },
  ConfigMapNodeConfigSource: {
    namespace: '1 string!',
    name: '2 string!',
    uid: '3 string',
    resourceVersion: '4 string',
    kubeletConfigKey: '5 string!',
  },
  DaemonEndpoint: {
    Port: '1 int32! default=0',
  },
  Node: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 NodeSpec',
    status: '3 NodeStatus',
  },
  NodeAddress: {
    type: '1 string!',
    address: '2 string!',
  },
  NodeAllocatableResourceClaimStatus: {
    resourceClaimName: '1 string!',
    containers: '2 [string] list=set',
    resources: '3 {Quantity}!',
  },
  NodeCondition: {
    type: '1 string!',
    status: '2 string!',
    lastHeartbeatTime: '3 Time',
    lastTransitionTime: '4 Time',
    reason: '5 string',
    message: '6 string',
  },
  NodeConfigSource: {
    configMap: '2 ConfigMapNodeConfigSource?',
  },
  NodeConfigStatus: {
    assigned: '1 NodeConfigSource?',
    active: '2 NodeConfigSource?',
    lastKnownGood: '3 NodeConfigSource?',
    error: '4 string',
  },
  NodeDaemonEndpoints: {
    kubeletEndpoint: '1 DaemonEndpoint',
  },
  NodeFeatures: {
    supplementalGroupsPolicy: '1 bool?',
  },
  NodeRuntimeHandler: {
    name: '1 string always',
    features: '2 NodeRuntimeHandlerFeatures?',
  },
  NodeRuntimeHandlerFeatures: {
    recursiveReadOnlyMounts: '1 bool?',
    userNamespaces: '2 bool?',
  },
  NodeSpec: {
    podCIDR: '1 string',
    externalID: '2 string',
    providerID: '3 string',
    unschedulable: '4 bool',
    taints: '5 [Taint] list=atomic',
    configSource: '6 NodeConfigSource?',
    podCIDRs: '7 [string] patch=merge list=set',
  },
  NodeStatus: {
    capacity: '1 {Quantity}',
    allocatable: '2 {Quantity}',
    phase: '3 string',
    conditions: '4 [NodeCondition] merge=type list=map keys=type',
    addresses: '5 [NodeAddress] merge=type list=map keys=type',
    daemonEndpoints: '6 NodeDaemonEndpoints',
    nodeInfo: '7 NodeSystemInfo',
    images: '8 [ContainerImage] list=atomic',
    volumesInUse: '9 [string] list=atomic',
    volumesAttached: '10 [AttachedVolume] list=atomic',
    config: '11 NodeConfigStatus?',
    runtimeHandlers: '12 [NodeRuntimeHandler] list=atomic',
    features: '13 NodeFeatures?',
    declaredFeatures: '14 [string] list=atomic',
  },
  NodeSwapStatus: {
    capacity: '1 int64?',
  },
  NodeSystemInfo: {
    machineID: '1 string!',
    systemUUID: '2 string!',
    bootID: '3 string!',
    kernelVersion: '4 string!',
    osImage: '5 string!',
    containerRuntimeVersion: '6 string!',
    kubeletVersion: '7 string!',
    kubeProxyVersion: '8 string!',
    operatingSystem: '9 string!',
    architecture: '10 string!',
    swap: '11 NodeSwapStatus?',
  },
  Taint: {
    key: '1 string!',
    value: '2 string',
    effect: '3 string!',
    timeAdded: '4 Time?',
  },
} as const
