// API group discovery (discovery/v1), as schema rows: the grammar of a row is in schema.ts.

export const discovery = {
  Endpoint: {
    addresses: '1 [string]! list=set',
    conditions: '2 EndpointConditions',
    hostname: '3 string?',
    targetRef: '4 core.ObjectReference?',
    deprecatedTopology: '5 {string}',
    nodeName: '6 string?',
    zone: '7 string?',
    hints: '8 EndpointHints?',
  },
  EndpointConditions: {
    ready: '1 bool?',
    serving: '2 bool?',
    terminating: '3 bool?',
  },
  EndpointHints: {
    forZones: '1 [ForZone] list=atomic',
    forNodes: '2 [ForNode] list=atomic',
  },
  EndpointPort: {
    '@': 'atomic',
    name: '1 string?',
    protocol: '2 string?',
    port: '3 int32?',
    appProtocol: '4 string?',
  },
  EndpointSlice: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    endpoints: '2 [Endpoint] always list=atomic',
    ports: '3 [EndpointPort] always list=atomic',
    addressType: '4 string!',
  },
  ForNode: {
    name: '1 string!',
  },
  ForZone: {
    name: '1 string!',
  },
} as const
