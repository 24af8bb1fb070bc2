// What a pod may say about the nodes that it wants: affinity, tolerations, spreading.

import { checkForm, checkOptionalWord, checkPositive } from '#api/check-field.ts'
import type { Affinity, NodeSelector, NodeSelectorTerm, PodSpec, Toleration } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelKey, checkLabelSelector } from '#api/labels.ts'
import { dns1123Label, dns1123Subdomain, labelValue } from '#api/names.ts'
import { taintEffects } from '#api/node/validate.ts'
import type { Typed } from '#api/schema/schema.ts'

type PodAffinity = Typed<'core', 'PodAffinity'>
type PodAffinityTerm = Typed<'core', 'PodAffinityTerm'>
type NodeRequirement = Typed<'core', 'NodeSelectorRequirement'>

const must = 'requiredDuringSchedulingIgnoredDuringExecution'
const may = 'preferredDuringSchedulingIgnoredDuringExecution'

export function checkAffinity(affinity: Affinity, path: string): FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity
  const errors: FieldError[] = []
  if (nodeAffinity?.[must]) errors.push(...checkNodeSelector(nodeAffinity[must], `${path}.nodeAffinity.${must}`))
  for (const [at, { weight, preference }] of (nodeAffinity?.[may] ?? []).entries()) {
    const place = `${path}.nodeAffinity.${may}[${at}]`
    errors.push(...checkWeight(weight, place), ...checkTerm(preference, `${place}.preference`, false))
  }
  if (podAffinity) errors.push(...checkPodAffinity(podAffinity, `${path}.podAffinity`))
  if (podAntiAffinity) errors.push(...checkPodAffinity(podAntiAffinity, `${path}.podAntiAffinity`))
  return errors
}

function checkWeight(weight: number, path: string): FieldError[] {
  return weight > 0 && weight <= 100 ? [] : [invalid(`${path}.weight`, weight, 'must be in the range 1-100')]
}

export function checkNodeSelector({ nodeSelectorTerms: terms }: NodeSelector, path: string): FieldError[] {
  const place = `${path}.nodeSelectorTerms`
  if (terms.length === 0) return [required(place, 'must have at least one node selector term')]
  return terms.flatMap((term, at) => checkTerm(term, `${place}[${at}]`, true))
}

function checkTerm(term: NodeSelectorTerm, path: string, checksValues: boolean): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement, at) =>
      checkNodeRequirement(requirement, `${path}.matchExpressions[${at}]`, checksValues),
    ),
    ...(term.matchFields ?? []).flatMap((requirement, at) =>
      checkFieldRequirement(requirement, `${path}.matchFields[${at}]`),
    ),
  ]
}

function checkNodeRequirement(requirement: NodeRequirement, path: string, checksValues: boolean): FieldError[] {
  const { key, operator, values = [] } = requirement
  const errors: FieldError[] = []
  const place = `${path}.values`
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(place, "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      errors.push(forbidden(place, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1)
      errors.push(required(place, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'))
  errors.push(...checkLabelKey(`${path}.key`, key ?? ''))
  if (checksValues)
    for (const [at, value] of values.entries()) errors.push(...checkForm(`${place}[${at}]`, value, labelValue))
  return errors
}

/** The one field of nodes that terms may ask for is their name. */
function checkFieldRequirement({ key, operator, values = [] }: NodeRequirement, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    const one = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
    if (values.length !== 1) errors.push(required(`${path}.values`, one))
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'))
  if (key !== 'metadata.name') return [...errors, invalid(`${path}.key`, key ?? '', 'not a valid field selector key')]
  return [...errors, ...values.flatMap((value, at) => checkForm(`${path}.values[${at}]`, value, dns1123Subdomain))]
}

function checkPodAffinity(affinity: PodAffinity, path: string): FieldError[] {
  return [
    ...(affinity[must] ?? []).flatMap((term, at) => checkPodTerm(term, `${path}.${must}[${at}]`)),
    ...(affinity[may] ?? []).flatMap(({ weight, podAffinityTerm }, at) => [
      ...checkWeight(weight, `${path}.${may}[${at}]`),
      ...checkPodTerm(podAffinityTerm, `${path}.${may}[${at}].podAffinityTerm`),
    ]),
  ]
}

function checkPodTerm(term: PodAffinityTerm, path: string): FieldError[] {
  return [
    ...checkLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...checkLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
    ...(term.namespaces ?? []).flatMap((name) => checkForm(`${path}.namespace`, name, dns1123Label)),
    ...(term.topologyKey ? [] : [required(`${path}.topologyKey`, 'can not be empty')]),
    ...checkLabelKey(`${path}.topologyKey`, term.topologyKey ?? ''),
  ]
}

export function checkTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  return tolerations.flatMap((toleration, at) => checkToleration(toleration, `${path}[${at}]`))
}

function checkToleration(toleration: Toleration, path: string): FieldError[] {
  const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration
  const errors = key === '' ? [] : checkLabelKey(`${path}.key`, key)
  if (key === '' && operator !== 'Exists') {
    const all = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    errors.push(invalid(`${path}.operator`, operator, all))
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  if (operator === 'Equal' || operator === '') {
    const wrong = labelValue(value)
    if (wrong.length > 0) errors.push(invalid(`${path}.operator`, value, wrong.join(';')))
  } else if (operator === 'Exists') {
    if (value !== '') errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  } else {
    const known = operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists']
    errors.push(notSupported(`${path}.operator`, operator, known))
  }
  if (effect !== '' && !taintEffects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, taintEffects))
  return errors
}

const actions = ['DoNotSchedule', 'ScheduleAnyway']

export function checkSpread(
  constraints: NonNullable<PodSpec['topologySpreadConstraints']>,
  path: string,
): FieldError[] {
  return constraints.flatMap((constraint, at) => {
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, labelSelector } = constraint
    const place = `${path}[${at}]`
    const isRepeated = constraints
      .slice(at + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)
    const errors = checkPositive(`${place}.maxSkew`, maxSkew ?? 0)
    if (!topologyKey) errors.push(required(`${place}.topologyKey`, 'can not be empty'))
    errors.push(...checkOptionalWord(`${place}.whenUnsatisfiable`, whenUnsatisfiable ?? '', actions))
    if (isRepeated)
      errors.push(duplicate(`${place}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`))
    errors.push(...checkPositive(`${place}.minDomains`, minDomains))
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`
      errors.push(invalid(`${place}.minDomains`, minDomains, detail))
    }
    for (const policy of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const)
      errors.push(...checkOptionalWord(`${place}.${policy}`, constraint[policy], ['Honor', 'Ignore']))
    return [...errors, ...checkLabelSelector(labelSelector, `${place}.labelSelector`)]
  })
}
