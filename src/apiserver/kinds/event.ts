// Events: what happened to an object. They go away an hour after they were last written.

import type { Cell, Column, Kind } from '#apiserver/kind.ts'
import { nameOf, since, text, wide } from '#apiserver/kinds/cells.ts'
import { type Event, events } from '#api/core.ts'
import { asCoreEvent, asNewEvent } from '#api/event/forms.ts'
import { validateEvent, validateNewEvent } from '#api/event/validate.ts'
import { type NewEvent, newEvents } from '#api/events.ts'

const columns: readonly Column[] = [
  text('Last Seen'),
  text('Type'),
  text('Reason'),
  text('Object'),
  wide('Subobject'),
  wide('Source'),
  text('Message'),
  wide('First Seen'),
  wide('Count'),
  { name: 'Name', type: 'string', priority: 1, format: 'name' },
]

export const eventKind: Kind<Event> = {
  resource: events,
  type: 'core.Event',
  singular: 'event',
  shortNames: ['ev'],
  columns,
  row: rowOf,
  validate: (event) => validateEvent(event),
  createOnUpdate: true,
  ttlSeconds: 3600,
  fields: ({ involvedObject: object, ...event }) => ({
    'involvedObject.kind': object?.kind ?? '',
    'involvedObject.namespace': object?.namespace ?? '',
    'involvedObject.name': object?.name ?? '',
    'involvedObject.uid': object?.uid ?? '',
    'involvedObject.apiVersion': object?.apiVersion ?? '',
    'involvedObject.resourceVersion': object?.resourceVersion ?? '',
    'involvedObject.fieldPath': object?.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component || (event.reportingComponent ?? ''),
    type: event.type ?? '',
  }),
}

/** The same Events, in the form of events.k8s.io. */
export const newEventKind: Kind<NewEvent> = {
  resource: newEvents,
  type: 'events.Event',
  singular: 'event',
  shortNames: ['ev'],
  columns,
  row: (event, nowMs) => rowOf(asCoreEvent(event), nowMs),
  validate: (event, old) => validateNewEvent(asCoreEvent(event), old && asCoreEvent(old)),
  createOnUpdate: true,
  ttlSeconds: 3600,
  storedAs: {
    resource: events,
    toStored: (event) => asCoreEvent(event as NewEvent),
    fromStored: (event) => asNewEvent(event as Event),
  },
  fields: ({ regarding: object, ...event }) => ({
    'regarding.kind': object?.kind ?? '',
    'regarding.namespace': object?.namespace ?? '',
    'regarding.name': object?.name ?? '',
    'regarding.uid': object?.uid ?? '',
    'regarding.apiVersion': object?.apiVersion ?? '',
    'regarding.resourceVersion': object?.resourceVersion ?? '',
    'regarding.fieldPath': object?.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingController: event.reportingController ?? '',
    type: event.type ?? '',
  }),
}

function rowOf(event: Event, nowMs: number): readonly Cell[] {
  const { involvedObject: object, series } = event
  const first = event.firstTimestamp ?? event.eventTime
  const last = series ? series.lastObservedTime : (event.lastTimestamp ?? first)
  const kind = (object?.kind ?? '').toLowerCase()
  return [
    since(last, nowMs),
    event.type ?? '',
    event.reason ?? '',
    object?.name ? `${kind}/${object.name}` : kind,
    object?.fieldPath ?? '',
    sourceText(event),
    (event.message ?? '').trim(),
    since(first, nowMs),
    (series ? series.count : event.count) || 1,
    nameOf(event),
  ]
}

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || ''
  const host = source?.host || reportingInstance || ''
  return host === '' ? component : `${component}, ${host}`
}
