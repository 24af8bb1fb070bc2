// Events: what happened to an object. They go away an hour after they were last written.

import type { Column, Kind } from '#apiserver/kind.ts'
import { nameOf, since, text, wide } from '#apiserver/kinds/cells.ts'
import { type Event, events } from '#api/core.ts'
import { type FieldError, invalid, required } from '#api/field-error.ts'
import * as names from '#api/names.ts'
import { byteLength } from '#api/go-text.ts'

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
  row: (event, nowMs) => {
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
  },
  validate,
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

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || ''
  const host = source?.host || reportingInstance || ''
  return host === '' ? component : `${component}, ${host}`
}

function validate(event: Event): FieldError[] {
  const namespace = event.metadata?.namespace ?? ''
  const about = event.involvedObject?.namespace ?? ''
  const errors = event.eventTime === undefined ? checkOldForm(namespace, about) : checkNewForm(event, namespace, about)
  return [...errors, ...names.dns1123Subdomain(namespace).map((detail) => invalid('namespace', namespace, detail))]
}

const stranger = (about: string): FieldError =>
  invalid('involvedObject.namespace', about, 'does not match event.namespace')

function checkOldForm(namespace: string, about: string): FieldError[] {
  const fits = about === '' ? namespace === '' || namespace === 'default' : about === namespace
  return fits ? [] : [stranger(about)]
}

/** Events with an eventTime say who reports them and what was done. */
function checkNewForm(event: Event, namespace: string, about: string): FieldError[] {
  const errors: FieldError[] = []
  if (about === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(stranger(about))
  const reporter = event.reportingComponent ?? ''
  if (reporter === '') errors.push(required('reportingComponent'))
  errors.push(...names.qualifiedName(reporter).map((detail) => invalid('reportingComponent', reporter, detail)))
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
