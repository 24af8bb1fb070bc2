// What an update of a pod may change: almost nothing, since a pod runs as it was made.

import type { Container, Pod, PodSpec } from '#api/core.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { goJson } from '#api/go-text.ts'
import { inRange } from '#api/names.ts'
import { checkTolerations } from '#api/pod/validate-scheduling.ts'
import { validateStoredPod } from '#api/pod/validate.ts'
import { equalJson } from '#lib/equal.ts'

const changeable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',')

export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const spec = pod.spec ?? noContainers
  const before = old.spec ?? noContainers
  const errors = validateStoredPod(pod)
  for (const list of ['containers', 'initContainers'] as const) {
    const now = spec[list] ?? []
    if (now.length !== (before[list]?.length ?? 0))
      return [...errors, forbidden(`spec.${list}`, 'pod updates may not add or remove containers')]
    errors.push(...checkImages(now, `spec.${list}`))
  }
  errors.push(...checkDeadline(spec, before), ...checkOnlyAdded(spec, before), ...checkOnlyFewerGates(spec, before))
  const kept = withChangeable(spec, before)
  if (equalJson(kept, before)) return errors
  const differences = describe(before, kept, '').join('\n')
  return [...errors, forbidden('spec', `pod updates may not change fields other than ${changeable}\n${differences}`)]
}

const noContainers: PodSpec = { containers: [] }

function checkImages(containers: readonly Container[], path: string): FieldError[] {
  return containers.flatMap(({ image = '' }, at) => (image === '' ? [required(`${path}[${at}].image`)] : []))
}

function checkDeadline(
  { activeDeadlineSeconds: now }: PodSpec,
  { activeDeadlineSeconds: before }: PodSpec,
): FieldError[] {
  const path = 'spec.activeDeadlineSeconds'
  if (now === undefined)
    return before === undefined ? [] : [invalid(path, null, 'must not update from a positive integer to nil value')]
  const wrong = inRange(now, 0, 2147483647)
  if (wrong.length > 0) return wrong.map((detail) => invalid(path, now, detail))
  return before !== undefined && before < now
    ? [invalid(path, now, 'must be less than or equal to previous value')]
    : []
}

function checkOnlyAdded({ tolerations: now = [] }: PodSpec, { tolerations: before = [] }: PodSpec): FieldError[] {
  const path = 'spec.tolerations'
  const isKept = before.every(({ tolerationSeconds: _, ...old }) =>
    now.some(({ tolerationSeconds: _, ...toleration }) => equalJson(old, toleration)),
  )
  if (!isKept) return [forbidden(path, 'existing toleration can not be modified except its tolerationSeconds')]
  return checkTolerations(now, path)
}

function checkOnlyFewerGates(
  { schedulingGates: now = [] }: PodSpec,
  { schedulingGates: before = [] }: PodSpec,
): FieldError[] {
  const known = new Set(before.map(({ name }) => name))
  return now.flatMap(({ name }, at) =>
    known.has(name)
      ? []
      : [
          forbidden(
            `spec.schedulingGates[${at}].name`,
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  )
}

/** The new spec with the old values of what may change. A pod that waits at a gate may still choose other nodes. */
function withChangeable(spec: PodSpec, before: PodSpec): PodSpec {
  const images = (now: readonly Container[] | undefined, old: readonly Container[] | undefined) =>
    now?.map((container, at) => ({ ...container, image: old?.[at]?.image }))
  const grace = before.terminationGracePeriodSeconds
  const isGated = (before.schedulingGates?.length ?? 0) > 0
  return {
    ...spec,
    containers: images(spec.containers, before.containers),
    initContainers: images(spec.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    tolerations: before.tolerations,
    schedulingGates: before.schedulingGates,
    ...(grace !== undefined && grace < 0 && spec.terminationGracePeriodSeconds === 1
      ? { terminationGracePeriodSeconds: grace }
      : {}),
    ...(isGated ? { nodeSelector: before.nodeSelector, affinity: before.affinity } : {}),
  } as PodSpec
}

/** Where two values differ, one line each: `containers[0].command: ["a"] -> ["b"]`. */
function describe(before: unknown, after: unknown, path: string): string[] {
  if (equalJson(before, after)) return []
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((item, at) => describe(item, after[at], `${path}[${at}]`))
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => describe(before[key], after[key], path === '' ? key : `${path}.${key}`))
  }
  return [`  ${path}: ${goJson(before)} -> ${goJson(after)}`]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
