// API group events (events/v1), as schema rows: the grammar of a row is in schema.ts.

export const events = {
  Event: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    eventTime: '2 MicroTime!',
    series: '3 EventSeries?',
    reportingController: '4 string',
    reportingInstance: '5 string',
    action: '6 string',
    reason: '7 string',
    regarding: '8 core.ObjectReference',
    related: '9 core.ObjectReference?',
    note: '10 string',
    type: '11 string',
    deprecatedSource: '12 core.EventSource',
    deprecatedFirstTimestamp: '13 Time',
    deprecatedLastTimestamp: '14 Time',
    deprecatedCount: '15 int32',
  },
  EventSeries: {
    count: '1 int32! default=0',
    lastObservedTime: '2 MicroTime!',
  },
} as const
