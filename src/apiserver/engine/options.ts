// The options of a request, read from its query and checked (meta/v1 and meta/internalversion validation).

import { forbidden, invalid, notSupported, required, tooLong, type FieldError } from '#api/field-error.ts'
import { parseFieldSelector, unknownField, type FieldRequirements } from '#api/field-selector.ts'
import type { DeleteOptions } from '#api/meta.ts'
import { parseLabelSelector, type Requirements } from '#api/selector.ts'
import { isTrue } from '#apiserver/http/target.ts'
import { badRequest, failure, invalid as invalidStatus, StatusError } from '#api/status.ts'

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'
export type WriteOptions = {
  readonly dryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
}
export type PatchOptions = WriteOptions & { readonly force: boolean }

/** Options of a create or an update. Throws StatusError. */
export function parseWriteOptions(query: URLSearchParams, kind: 'CreateOptions' | 'UpdateOptions'): WriteOptions {
  refuse(kind, writeErrors(query))
  return writeOptions(query)
}

/** Throws StatusError. */
export function parsePatchOptions(query: URLSearchParams, isApply: boolean): PatchOptions {
  const errors: FieldError[] = []
  if (isApply && !query.get('fieldManager')) errors.push(required('fieldManager', 'is required for apply patch'))
  if (!isApply && query.has('force')) errors.push(forbidden('force', 'may not be specified for non-apply patch'))
  refuse('PatchOptions', [...errors, ...writeErrors(query)])
  return { ...writeOptions(query), force: isTrue(query.get('force')) }
}

function writeErrors(query: URLSearchParams): FieldError[] {
  const manager = query.get('fieldManager') ?? ''
  const validation = query.get('fieldValidation') ?? ''
  const errors: FieldError[] = []
  if (manager.length > 128) errors.push(tooLong('fieldManager', 128))
  for (const [position, character] of [...manager].entries())
    if (/[\p{C}\p{Z}]/u.test(character) && character !== ' ')
      errors.push(
        invalid('fieldManager', manager, `invalid character ${codePoint(character)} (at position ${position})`),
      )
  errors.push(...dryRunErrors(query.getAll('dryRun')))
  if (!['', 'Ignore', 'Warn', 'Strict'].includes(validation))
    errors.push(notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']))
  return errors
}

const codePoint = (character: string) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`

const dryRunErrors = (values: readonly string[]): FieldError[] =>
  values.every((value) => value === 'All') ? [] : [notSupported('dryRun', values, ['All'])]

const writeOptions = (query: URLSearchParams): WriteOptions => ({
  dryRun: query.has('dryRun'),
  fieldManager: query.get('fieldManager') ?? '',
  fieldValidation: (query.get('fieldValidation') || 'Warn') as FieldValidation,
})

/** Options of a delete: the body's, or the query's where there is no body. Throws StatusError. */
export function parseDeleteOptions(query: URLSearchParams, body: DeleteOptions | undefined): DeleteOptions {
  const options = body ?? deleteOptionsOf(query)
  const { propagationPolicy: policy, orphanDependents, dryRun = [] } = options
  const errors: FieldError[] = []
  if (orphanDependents !== undefined && policy !== undefined)
    errors.push(invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'))
  if (policy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(policy))
    errors.push(notSupported('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil']))
  refuse('DeleteOptions', [...errors, ...dryRunErrors(dryRun)])
  return options
}

function deleteOptionsOf(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds')
  const policy = query.get('propagationPolicy')
  if (grace !== null && !/^-?\d+$/.test(grace))
    throw new StatusError(badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`))
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(query.has('orphanDependents') ? { orphanDependents: isTrue(query.get('orphanDependents')) } : {}),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
  }
}

export type ListOptions = {
  readonly labels: Requirements
  readonly fields: FieldRequirements
  /** 0: all */
  readonly limit: number
  readonly continue: string
  /** undefined: the newest there is */
  readonly resourceVersion: number | undefined
  readonly match: '' | 'Exact' | 'NotOlderThan'
  readonly timeoutSeconds: number | undefined
  readonly bookmarks: boolean
  /** a watch that begins with what is there, closed by a bookmark; undefined: not asked */
  readonly initialEvents: boolean | undefined
}
/** Which fields a resource offers for selection. */
export type Selectable = { readonly fields: readonly string[] }

/** Undefined: none is asked for. Answers what is wrong as text. */
export function parseVersion(text: string): number | undefined | string {
  if (text === '') return undefined
  if (/^\d+$/.test(text)) return Number(text)
  const value = JSON.stringify(text)
  return `resourceVersion: Invalid value: ${value}: strconv.ParseUint: parsing ${value}: invalid syntax`
}

/** Options of a list, a watch or a deletecollection. Throws StatusError. */
export function parseListOptions(query: URLSearchParams, of: Selectable, isWatch: boolean): ListOptions {
  const version = query.get('resourceVersion') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  const initialEvents = query.has('sendInitialEvents') ? isTrue(query.get('sendInitialEvents')) : undefined
  const asked = { version, match, continue: query.get('continue') ?? '', initialEvents }
  refuse('ListOptions', isWatch ? watchErrors(asked) : listErrors(asked))
  const revision = parseVersion(version)
  if (typeof revision === 'string')
    throw new StatusError(isWatch ? failure(500, '', revision) : badRequest(`invalid resource version: ${revision}`))
  return {
    ...selectorsOf(query, of),
    limit: integer(query, 'limit') ?? 0,
    continue: asked.continue,
    resourceVersion: revision,
    match: match as '' | 'Exact' | 'NotOlderThan',
    timeoutSeconds: integer(query, 'timeoutSeconds'),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    initialEvents,
  }
}

type Asked = {
  readonly version: string
  readonly match: string
  readonly continue: string
  readonly initialEvents: boolean | undefined
}
const isMatch = (match: string) => match === 'Exact' || match === 'NotOlderThan'

function listErrors({ version, match, continue: token, initialEvents }: Asked): FieldError[] {
  const errors: FieldError[] = []
  const no = (detail: string) => errors.push(forbidden('resourceVersionMatch', detail))
  if (match !== '') {
    if (version === '') no('resourceVersionMatch is forbidden unless resourceVersion is provided')
    if (token !== '') no('resourceVersionMatch is forbidden when continue is provided')
    if (!isMatch(match)) errors.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && version === '0') no('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  }
  if (initialEvents !== undefined)
    errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return errors
}

function watchErrors({ match, continue: token, initialEvents }: Asked): FieldError[] {
  const errors: FieldError[] = []
  const no = (detail: string) => errors.push(forbidden('resourceVersionMatch', detail))
  if (initialEvents !== undefined && match !== 'NotOlderThan')
    no('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  if (match === '') return errors
  if (initialEvents === undefined)
    no('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')
  if (match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
  if (token !== '') no('resourceVersionMatch is forbidden when continue is provided')
  return errors
}

function selectorsOf(query: URLSearchParams, of: Selectable): Pick<ListOptions, 'labels' | 'fields'> {
  const labelText = query.get('labelSelector') ?? ''
  const fieldText = query.get('fieldSelector') ?? ''
  const cannot = (why: string) => new StatusError(badRequest(why))
  const labels = parseLabelSelector(labelText)
  if (labels.kind === 'error') throw cannot(labels.message)
  const fields = parseFieldSelector(fieldText)
  if (fields.kind === 'error') throw cannot(fields.message)
  const unknown = unknownField(fields.value, of.fields)
  if (unknown !== undefined) throw cannot(unknown)
  return { labels: labels.value, fields: fields.value }
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^-?\d+$/.test(text))
    throw new StatusError(badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`))
  return Number(text)
}

function refuse(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new StatusError(invalidStatus({ group: 'meta.k8s.io', kind }, '', errors))
}
