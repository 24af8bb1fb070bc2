// What the server itself writes into and asks of every object's metadata (apiserver's registry/rest and
// apimachinery's api/validation/objectmeta.go).

import { forbidden, invalid, required, tooLong, typeInvalid, type FieldError } from '#api/field-error.ts'
import { byteLength } from '#api/go-text.ts'
import { checkLabels } from '#api/labels.ts'
import type { ApiObject, ObjectMeta, OwnerReference } from '#api/meta.ts'
import { dns1123Label, dns1123Subdomain, qualifiedName } from '#api/names.ts'
import { formatTime } from '#api/time.ts'
import type { GenerationRule } from '#apiserver/kind.ts'
import { equalJson } from '#lib/equal.ts'

const longestGenerated = 63
const suffixLength = 5
/** No vowels and nothing that is easily mistaken: no bad words by chance. */
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789'

/** `web-` becomes `web-x7k2p`. */
export function generateName(prefix: string, random: (below: number) => number): string {
  const letters = Array.from({ length: suffixLength }, () => suffixLetters[random(suffixLetters.length)])
  return prefix.slice(0, longestGenerated - suffixLength) + letters.join('')
}

/** The metadata of a new object. What only the server may set is the server's, whatever the client sent. */
export function metadataOnCreate(
  sent: ObjectMeta,
  given: {
    readonly namespace: string
    readonly uid: string
    readonly nowMs: number
    readonly hasGeneration: boolean
  },
): ObjectMeta {
  const {
    selfLink: _selfLink,
    resourceVersion: _resourceVersion,
    generation: _generation,
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _grace,
    namespace: _namespace,
    ...kept
  } = sent
  return {
    ...kept,
    ...(given.namespace === '' ? {} : { namespace: given.namespace }),
    uid: given.uid,
    creationTimestamp: formatTime(given.nowMs),
    ...(given.hasGeneration ? { generation: 1 } : {}),
  }
}

/** The metadata of an updated object: what is the server's stays as it was. */
export function metadataOnUpdate(sent: ObjectMeta, old: ObjectMeta): ObjectMeta {
  const { selfLink: _selfLink, ...kept } = sent
  return dropUndefined({
    ...kept,
    uid: sent.uid || old.uid,
    creationTimestamp: old.creationTimestamp,
    deletionTimestamp: old.deletionTimestamp,
    deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
    generation: old.generation,
    generateName: sent.generateName ?? old.generateName,
  })
}

function dropUndefined(metadata: { [F in keyof ObjectMeta]: ObjectMeta[F] | undefined }): ObjectMeta {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as ObjectMeta
}

export type NameCheck = (name: string) => string | undefined
const subdomain: NameCheck = (name) => dns1123Subdomain(name)[0]

/** All that is wrong with the metadata of an object, new or updated. */
export function checkMetadata(
  metadata: ObjectMeta,
  namespaced: boolean,
  checkName: NameCheck = subdomain,
  anyFinalizer = false,
): FieldError[] {
  const path = (name: string) => `metadata.${name}`
  const { name = '', generateName: prefix = '', namespace = '' } = metadata
  const errors: FieldError[] = []
  if (prefix !== '') {
    const why = checkName(prefix.replace(/-$/, 'a'))
    if (why !== undefined) errors.push(invalid(path('generateName'), prefix, why))
  }
  if (name === '') errors.push(required(path('name'), 'name or generateName is required'))
  else {
    const why = checkName(name)
    if (why !== undefined) errors.push(invalid(path('name'), name, why))
  }
  if (namespaced) {
    if (namespace === '') errors.push(required(path('namespace')))
    else for (const why of dns1123Label(namespace)) errors.push(invalid(path('namespace'), namespace, why))
  } else if (namespace !== '') errors.push(forbidden(path('namespace'), 'not allowed on this type'))
  return [
    ...errors,
    ...checkLabels(metadata.labels, path('labels')),
    ...checkAnnotations(metadata.annotations, path('annotations')),
    ...checkOwners(metadata.ownerReferences ?? [], path('ownerReferences')),
    ...checkFinalizers(metadata.finalizers ?? [], path('finalizers'), anyFinalizer),
  ]
}

const mostAnnotationBytes = 256 * 1024

function checkAnnotations(annotations: ObjectMeta['annotations'] = {}, path: string): FieldError[] {
  const errors: FieldError[] = []
  let size = 0
  for (const [key, value] of Object.entries(annotations)) {
    for (const why of qualifiedName(key.toLowerCase())) errors.push(invalid(path, key, why))
    size += byteLength(key) + byteLength(value)
  }
  if (size > mostAnnotationBytes) errors.push(tooLong(path, mostAnnotationBytes))
  return errors
}

function checkOwners(owners: readonly OwnerReference[], path: string): FieldError[] {
  const errors: FieldError[] = []
  let controller: OwnerReference | undefined
  for (const owner of owners) {
    const version = owner.apiVersion?.split('/').at(-1) ?? ''
    if (version === '') errors.push(invalid(`${path}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty'))
    if (!owner.kind) errors.push(invalid(`${path}.kind`, owner.kind ?? '', 'must not be empty'))
    if (!owner.name) errors.push(invalid(`${path}.name`, owner.name ?? '', 'must not be empty'))
    if (!owner.uid) errors.push(invalid(`${path}.uid`, owner.uid ?? '', 'must not be empty'))
    if (owner.apiVersion === 'v1' && owner.kind === 'Event')
      errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'))
    if (owner.controller !== true) continue
    if (controller === undefined) controller = owner
    else
      errors.push(
        invalid(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`,
        ),
      )
  }
  return errors
}

const standardFinalizers = ['orphan', 'foregroundDeletion', 'kubernetes']

function checkFinalizers(finalizers: readonly string[], path: string, isAny: boolean): FieldError[] {
  const errors = finalizers.flatMap((name) => qualifiedName(name).map((why) => invalid(path, name, why)))
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'))
  for (const [at, name] of finalizers.entries())
    if (!isAny && !name.includes('/') && !standardFinalizers.includes(name))
      errors.push(
        invalid(`${path}[${at}]`, name, 'name is neither a standard finalizer name nor is it fully qualified'),
      )
  return errors
}

/** What an update may not change. */
export function checkMetadataUpdate(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = []
  if (old.deletionTimestamp !== undefined) {
    const added = (metadata.finalizers ?? []).filter((name) => !old.finalizers?.includes(name))
    if (added.length > 0)
      errors.push(
        forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      )
  }
  for (const name of ['name', 'namespace', 'uid'] as const)
    if ((metadata[name] ?? '') !== (old[name] ?? ''))
      errors.push(invalid(`metadata.${name}`, metadata[name] ?? '', 'field is immutable'))
  return errors
}

/** Whether a stored resourceVersion could be this one. */
export function checkResourceVersion(text: string): FieldError[] {
  return /^\d*$/.test(text)
    ? []
    : [
        typeInvalid(
          'metadata.resourceVersion',
          text,
          `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
        ),
      ]
}

/** Whether an update is worth a new metadata.generation. */
export function isNewGeneration(rule: GenerationRule | undefined, object: ApiObject, old: ApiObject): boolean {
  return rule !== undefined && !equalJson(contentOf(rule, object), contentOf(rule, old))
}

type Content = ApiObject & { readonly spec?: unknown; readonly status?: unknown }

function contentOf(rule: GenerationRule, object: Content): unknown {
  const { apiVersion: _a, kind: _k, metadata: { labels = {}, annotations = {} } = {}, status: _s, ...rest } = object
  if (rule === 'content') return { ...rest, labels }
  if (rule === 'body') return rest
  if (rule === 'body and status') return { ...rest, status: _s }
  if (rule === 'spec') return rest.spec
  if (rule === 'spec without node') return { ...(rest.spec as object | undefined), nodeName: '' }
  return { spec: rest.spec, annotations }
}
