// One Event in its two forms: that of the core group, which is stored, and that of events.k8s.io.

import type { Event } from '#api/core.ts'
import type { NewEvent } from '#api/events.ts'

const names: readonly (readonly [keyof Event, keyof NewEvent])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
]
const toNew = new Map<string, string>(names)
const toOld = new Map<string, string>(names.map(([old, now]) => [now, old]))

export function asNewEvent(event: Event): NewEvent {
  return { ...renamed(event, toNew), apiVersion: 'events.k8s.io/v1' } as NewEvent
}

export function asCoreEvent(event: NewEvent): Event {
  const { involvedObject = {}, ...rest } = renamed(event, toOld) as Event
  return { ...rest, involvedObject, apiVersion: 'v1' } as Event
}

function renamed(event: object, to: ReadonlyMap<string, string>): object {
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [to.get(name) ?? name, value]))
}
