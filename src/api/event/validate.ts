// What an Event may say. In the form of events.k8s.io the rules are stricter, and what has been said stays.

import type { Event } from '#api/core.ts'
import { type FieldError, invalid, required } from '#api/field-error.ts'
import { byteLength } from '#api/go-text.ts'
import * as names from '#api/names.ts'
import { equalJson } from '#lib/equal.ts'

/** `reporter`: how the form in which it was sent names who reports. */
export function validateEvent(
  event: Event,
  reporter: 'reportingComponent' | 'reportingController' = 'reportingComponent',
): FieldError[] {
  const namespace = event.metadata?.namespace ?? ''
  const about = event.involvedObject?.namespace ?? ''
  const errors = event.eventTime ? checkNewForm(event, reporter) : checkOldForm(namespace, about)
  return [...errors, ...names.dns1123Subdomain(namespace).map((detail) => invalid('namespace', namespace, detail))]
}

const stranger = (about: string): FieldError =>
  invalid('involvedObject.namespace', about, 'does not match event.namespace')

function checkOldForm(namespace: string, about: string): FieldError[] {
  const fits = about === '' ? namespace === '' || namespace === 'default' : about === namespace
  return fits ? [] : [stranger(about)]
}

/** Events with an eventTime say who reports them and what was done. */
function checkNewForm(event: Event, reporterPath: string): FieldError[] {
  const namespace = event.metadata?.namespace ?? ''
  const about = event.involvedObject?.namespace ?? ''
  const errors: FieldError[] = []
  if (about === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(stranger(about))
  const reporter = event.reportingComponent ?? ''
  if (reporter === '') errors.push(required(reporterPath))
  errors.push(...names.qualifiedName(reporter).map((detail) => invalid(reporterPath, reporter, detail)))
  const bounded: readonly [string, string | undefined, number, boolean][] = [
    ['reportingInstance', event.reportingInstance, 128, true],
    ['action', event.action, 128, true],
    ['reason', event.reason, 128, true],
    ['message', event.message, 1024, false],
  ]
  for (const [path, value = '', most, isNeeded] of bounded) {
    if (isNeeded && value === '') errors.push(required(path))
    if (byteLength(value) > most) errors.push(invalid(path, '', `can have at most ${most} characters`))
  }
  return errors
}

/** An Event sent in the form of events.k8s.io, here in that of the core group; its errors name fields of the latter. */
export function validateNewEvent(event: Event, old: Event | undefined): FieldError[] {
  const errors = validateEvent(event, 'reportingController')
  if (old !== undefined) {
    if (!equalJson(event.series, old.series)) errors.push(...checkSeries(event))
    return [...errors, ...lasting.flatMap((field) => checkUnchanged(field, event[field], old[field]))]
  }
  errors.push(...checkSeries(event))
  if (!event.eventTime) errors.push(required('eventTime'))
  if (event.type !== 'Normal' && event.type !== 'Warning')
    errors.push(invalid('type', '', `has invalid value: ${event.type ?? ''}`))
  const unset = (field: string, isSet: boolean) => {
    if (isSet) errors.push(invalid(field, '', 'needs to be unset'))
  }
  unset('firstTimestamp', Boolean(event.firstTimestamp))
  unset('lastTimestamp', Boolean(event.lastTimestamp))
  unset('count', Boolean(event.count))
  unset('source', Boolean(event.source?.component || event.source?.host))
  return errors
}

const lasting = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const

function checkUnchanged(field: (typeof lasting)[number], now: unknown, before: unknown): FieldError[] {
  if (equalJson(now, before)) return []
  return [invalid(field === 'reportingComponent' ? 'reportingController' : field, now ?? null, 'field is immutable')]
}

function checkSeries({ series }: Event): FieldError[] {
  if (series === undefined) return []
  return [
    ...((series.count ?? 0) < 2 ? [invalid('series.count', '', 'should be at least 2')] : []),
    ...(series.lastObservedTime ? [] : [required('series.lastObservedTime')]),
  ]
}
