// The /scale of what has replicas: an autoscaling/v1 Scale read from and written into the object.

import { invalid, type FieldError } from '#api/field-error.ts'
import type { ApiObject, LabelSelector, ObjectMeta } from '#api/meta.ts'
import { formatRequirements, requirementsOf } from '#api/selector.ts'
import { badRequest, invalid as invalidStatus, StatusError } from '#api/status.ts'
import type { Typed } from '#api/schema/schema.ts'
import type { Kind } from '#apiserver/kind.ts'

export interface Scale extends Typed<'autoscaling', 'Scale'> {}
export type ScalePaths = NonNullable<Kind['scale']>
type Tree = { readonly [key: string]: unknown }

const keysOf = (path: string) => path.split('.').filter((key) => key !== '')

function valueAt(object: unknown, path: string): unknown {
  return path === ''
    ? undefined
    : keysOf(path).reduce<unknown>((value, key) => (value as Tree | undefined)?.[key], object)
}

function withValueAt(object: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  const tree = (object ?? {}) as Tree
  return { ...tree, [key]: withValueAt(tree[key], rest, value) }
}

export function scaleOf(object: ApiObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {}
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp } as ObjectMeta
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: numberAt(object, paths.specReplicas) },
    status: {
      replicas: numberAt(object, paths.statusReplicas),
      selector: selectorText(valueAt(object, paths.selector)),
    },
  } as Scale
}

export const hasReplicas = (object: ApiObject, { specReplicas }: ScalePaths): boolean =>
  valueAt(object, specReplicas) !== undefined

const numberAt = (object: ApiObject, path: string) => Number(valueAt(object, path) ?? 0)

/** Of a LabelSelector, or of the plain map that a ReplicationController has. */
function selectorText(selector: unknown): string {
  if (selector === undefined || selector === null) return ''
  // A custom resource has it as text.
  if (typeof selector === 'string') return selector
  const isPlain = Object.values(selector as Tree).every((value) => typeof value === 'string')
  const requirements = requirementsOf((isPlain ? { matchLabels: selector } : selector) as LabelSelector)
  return requirements.kind === 'ok' ? formatRequirements(requirements.value) : ''
}

/** The object with the replicas of the Scale. Throws StatusError where the Scale makes no sense. */
export function withScale(object: ApiObject, scale: Scale, paths: ScalePaths): ApiObject {
  const { name = '' } = object.metadata ?? {}
  const said = scale.metadata?.name ?? ''
  if (said !== '' && said !== name)
    throw new StatusError(badRequest(`the name of the object (${said}) does not match the name on the URL (${name})`))
  const replicas = scale.spec?.replicas ?? 0
  const errors: FieldError[] = []
  if (replicas < 0) errors.push(invalid('spec.replicas', replicas, 'must be greater than or equal to 0'))
  if (errors.length > 0) throw new StatusError(invalidStatus({ group: 'autoscaling', kind: 'Scale' }, name, errors))
  const changed = withValueAt(object, keysOf(paths.specReplicas), replicas) as ApiObject
  const { resourceVersion } = scale.metadata ?? {}
  return resourceVersion ? { ...changed, metadata: { ...changed.metadata, resourceVersion } } : changed
}

export const scaleExpected = { type: 'autoscaling.Scale', apiVersion: 'autoscaling/v1', kind: 'Scale' } as const

/** What an applied Scale says of the object itself. Throws StatusError. */
export function configOfScale(
  config: unknown,
  { kind, apiVersion }: { kind: Kind; apiVersion: string },
  paths: ScalePaths,
): unknown {
  const { apiVersion: said, kind: what, metadata, spec } = (config ?? {}) as ApiObject & { readonly spec?: unknown }
  if (said !== scaleExpected.apiVersion || what !== scaleExpected.kind)
    throw new StatusError(badRequest(`invalid object type: ${said}, Kind=${what}`))
  const replicas = (spec as { readonly replicas?: unknown } | undefined)?.replicas
  const object = { apiVersion, kind: kind.resource.kind, metadata: { name: metadata?.name ?? '' } }
  return replicas === undefined ? object : withValueAt(object, keysOf(paths.specReplicas), replicas)
}
