// StatefulSets: defaults, and what they may say (Kubernetes' pkg/apis/apps).

import type { StatefulSet, StatefulSetSpec } from '#api/apps.ts'
import { checkForm, checkNotNegative, checkOptionalWord } from '#api/check-field.ts'
import type { PodTemplateSpec } from '#api/core.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { dns1123Label } from '#api/names.ts'
import { defaultPodTemplate } from '#api/pod/defaults.ts'
import { defaultClaim } from '#api/volume/claim.ts'
import * as count from '#api/workload/count.ts'
import * as template from '#api/workload/template.ts'
import { equalJson } from '#lib/equal.ts'

const specOf = (set: StatefulSet): StatefulSetSpec => set.spec ?? ({} as StatefulSetSpec)

export function defaultStatefulSet(set: StatefulSet): StatefulSet {
  const spec = specOf(set)
  const { type, rollingUpdate } = spec.updateStrategy ?? {}
  const rolling = rollingUpdate ?? (type ? undefined : {})
  const strategy = type || 'RollingUpdate'
  const isRolling = strategy === 'RollingUpdate' && rolling !== undefined
  return {
    ...set,
    spec: {
      ...spec,
      podManagementPolicy: spec.podManagementPolicy || 'OrderedReady',
      updateStrategy: {
        ...spec.updateStrategy,
        type: strategy,
        ...(isRolling ? { rollingUpdate: { ...rolling, partition: rolling.partition ?? 0 } } : {}),
      },
      persistentVolumeClaimRetentionPolicy: {
        whenDeleted: spec.persistentVolumeClaimRetentionPolicy?.whenDeleted || 'Retain',
        whenScaled: spec.persistentVolumeClaimRetentionPolicy?.whenScaled || 'Retain',
      },
      replicas: spec.replicas ?? 1,
      revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
      template: defaultPodTemplate(spec.template),
      ...(spec.volumeClaimTemplates ? { volumeClaimTemplates: spec.volumeClaimTemplates.map(defaultTemplate) } : {}),
    },
  }
}

function defaultTemplate(claim: NonNullable<StatefulSetSpec['volumeClaimTemplates']>[number]): typeof claim {
  return { ...defaultClaim(claim), apiVersion: 'v1', kind: 'PersistentVolumeClaim' }
}

export function validateStatefulSet(set: StatefulSet, old: StatefulSet | undefined): FieldError[] {
  const spec = specOf(set)
  const { whenDeleted, whenScaled } = spec.persistentVolumeClaimRetentionPolicy ?? {}
  const retention = 'spec.persistentVolumeClaimRetentionPolicy'
  const errors = [
    ...checkPolicies(spec),
    ...checkOptionalWord(`${retention}.whenDeleted`, whenDeleted, ['Retain', 'Delete']),
    ...checkOptionalWord(`${retention}.whenScaled`, whenScaled, ['Retain', 'Delete']),
    ...checkNotNegative('spec.replicas', spec.replicas),
    ...checkNotNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...checkNotNegative('spec.ordinals.start', spec.ordinals?.start),
    // The name cannot change later, so old ones are not asked again.
    ...(spec.serviceName && !old ? checkForm('spec.serviceName', spec.serviceName, dns1123Label) : []),
    ...template.checkSelector(spec.selector, 'statefulset'),
    ...template.checkFit(spec.selector, spec.template),
    ...template.checkLastingTemplate(templateOf(spec), 'StatefulSet'),
  ]
  return old ? [...errors, ...checkChange(spec, specOf(old))] : errors
}

type Rolling = NonNullable<NonNullable<StatefulSetSpec['updateStrategy']>['rollingUpdate']>

/** As Kubernetes prints its own form of it. */
const goForm = ({ partition, maxUnavailable }: Rolling) => ({
  Partition: partition ?? 0,
  MaxUnavailable: maxUnavailable ?? null,
})

function checkPolicies({ podManagementPolicy: policy, updateStrategy: strategy }: StatefulSetSpec): FieldError[] {
  const errors: FieldError[] = []
  const place = 'spec.podManagementPolicy'
  if (!policy) errors.push(required(place))
  else if (!['OrderedReady', 'Parallel'].includes(policy))
    errors.push(invalid(place, policy, "must be 'OrderedReady' or 'Parallel'"))
  const path = 'spec.updateStrategy'
  const { type, rollingUpdate } = strategy ?? {}
  if (!type) return [...errors, required(path)]
  if (type === 'OnDelete')
    return rollingUpdate
      ? [
          ...errors,
          invalid(`${path}.rollingUpdate`, goForm(rollingUpdate), "only allowed for updateStrategy 'RollingUpdate'"),
        ]
      : errors
  if (type !== 'RollingUpdate')
    return [
      ...errors,
      invalid(
        path,
        { Type: type, RollingUpdate: rollingUpdate ? goForm(rollingUpdate) : null },
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ]
  const most = rollingUpdate?.maxUnavailable
  const mostPath = `${path}.rollingUpdate.maxUnavailable`
  errors.push(...checkNotNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition))
  errors.push(...count.checkCountOrPercent(mostPath, most))
  if (most !== undefined && count.countOf(most) === 0) errors.push(invalid(mostPath, most, 'cannot be 0'))
  return [...errors, ...count.checkAtMostAll(mostPath, most)]
}

/** The template as its pods will be: with a name of their own, and with a volume for each claim. */
function templateOf(spec: StatefulSetSpec): PodTemplateSpec {
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? '')
  const own = spec.template?.spec
  if (own === undefined) return spec.template ?? {}
  const { hostname: _h, subdomain: _s, volumes = [], ...rest } = own
  const others = volumes.filter(({ name }) => !claims.includes(name))
  const claimed = claims.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))
  return { ...spec.template, spec: { ...rest, volumes: [...claimed, ...others] } }
}

const changeable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const

function checkChange(spec: StatefulSetSpec, old: StatefulSetSpec): FieldError[] {
  const fixed = (of: StatefulSetSpec) =>
    Object.fromEntries(Object.entries(of).filter(([field]) => !(changeable as readonly string[]).includes(field)))
  if (equalJson(fixed(spec), fixed(old))) return []
  const list = `${changeable
    .slice(0, -1)
    .map((field) => `'${field}'`)
    .join(', ')} and 'minReadySeconds'`
  return [forbidden('spec', `updates to statefulset spec for fields other than ${list} are forbidden`)]
}

export function validateStatefulSetStatus({ status }: StatefulSet, old: StatefulSet): FieldError[] {
  if (status === undefined) return []
  return [
    ...count.checkCounts(status, [
      'replicas',
      'readyReplicas',
      'currentReplicas',
      'updatedReplicas',
      'availableReplicas',
      'observedGeneration',
      'collisionCount',
    ]),
    ...count.checkParts(status, 'replicas', [
      'readyReplicas',
      'currentReplicas',
      'updatedReplicas',
      'availableReplicas',
    ]),
    ...count.checkParts(status, 'readyReplicas', ['availableReplicas']),
    ...count.checkNotLess('status.collisionCount', status.collisionCount, old.status?.collisionCount),
  ]
}
