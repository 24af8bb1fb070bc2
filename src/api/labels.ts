// What is wrong with labels and label selectors (apimachinery's meta/v1/validation).

import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import type { LabelSelector } from '#api/meta.ts'
import { labelValue, qualifiedName } from '#api/names.ts'

type Labels = Readonly<Record<string, string>>

export function checkLabelKey(path: string, key: string): FieldError[] {
  return qualifiedName(key).map((detail) => invalid(path, key, detail))
}

/** Keys and values; both are reported at the path of the whole map. */
export function checkLabels(labels: Labels | undefined, path: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...checkLabelKey(path, key),
    ...labelValue(value).map((detail) => invalid(path, value, detail)),
  ])
}

export function checkLabelSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  const expressions = selector?.matchExpressions ?? []
  return [
    ...checkLabels(selector?.matchLabels, `${path}.matchLabels`),
    ...expressions.flatMap((expression, at) => checkRequirement(expression, `${path}.matchExpressions[${at}]`)),
  ]
}

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number]

function checkRequirement({ key, operator, values }: Requirement, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    if (!values?.length) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values?.length)
      errors.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'))
  errors.push(...checkLabelKey(`${path}.key`, key ?? ''))
  for (const [at, value] of (values ?? []).entries())
    errors.push(...labelValue(value).map((detail) => invalid(`${path}.values[${at}]`, value, detail)))
  return errors
}
