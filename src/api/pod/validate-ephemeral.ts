// Containers that are added to a running pod to look at it (`kubectl debug`).

import type { Container, Pod, PodSpec } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, notFound } from '#api/field-error.ts'
import { checkContainer, checkImageSpace, type PodView } from '#api/pod/validate-container.ts'
import { equalJson } from '#lib/equal.ts'

type Ephemeral = NonNullable<PodSpec['ephemeralContainers']>[number]

const foreign = [
  'ports',
  'resources',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
] as const satisfies readonly (keyof Ephemeral)[]

export function checkEphemeralContainers(
  containers: readonly Ephemeral[],
  others: readonly Container[],
  pod: PodView,
  path: string,
): FieldError[] {
  const known = new Set(others.map(({ name }) => name))
  const seen = new Set(known)
  const not = 'cannot be set for an Ephemeral Container'
  return containers.flatMap((container, at) => {
    const place = `${path}[${at}]`
    const errors = checkContainer(container, pod, place)
    if (seen.has(container.name)) errors.push(duplicate(`${place}.name`, container.name))
    seen.add(container.name)
    const target = container.targetContainerName
    if (target && !known.has(target)) errors.push(notFound(`${place}.targetContainerName`, target))
    for (const field of foreign)
      if (!equalJson(container[field], undefined) && !equalJson(container[field], {}))
        errors.push(forbidden(`${place}.${field}`, not))
    for (const [mount, { subPath, subPathExpr }] of (container.volumeMounts ?? []).entries()) {
      if (subPath) errors.push(forbidden(`${place}.volumeMounts[${mount}].subPath`, not))
      if (subPathExpr) errors.push(forbidden(`${place}.volumeMounts[${mount}].subPathExpr`, not))
    }
    return [...errors, ...checkImageSpace([container], path)]
  })
}

/** They may only be added: one that is there neither changes nor goes. */
export function checkEphemeralChange(pod: Pod, old: Pod): FieldError[] {
  if (old.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbidden('', 'static pods do not support ephemeral containers')]
  const now = new Map(pod.spec?.ephemeralContainers?.map((container) => [container.name, container]))
  return (old.spec?.ephemeralContainers ?? []).flatMap((before) => {
    const after = now.get(before.name)
    const path = 'spec.ephemeralContainers'
    const what = `existing ephemeral containers "${before.name}"`
    if (after === undefined) return [forbidden(path, `${what} may not be removed\n`)]
    return equalJson(before, after) ? [] : [forbidden(path, `${what} may not be changed\n`)]
  })
}
