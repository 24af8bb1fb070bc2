// PriorityClasses: names for how important a pod is.

import type { Admitted, Kind, Objects } from '#apiserver/kind.ts'
import { age, ageColumn, boolean, integer, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import { checkOptionalWord } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid } from '#api/field-error.ts'
import { forbidden as refused } from '#api/status.ts'
import { type PriorityClass, priorityClasses } from '#api/scheduling.ts'

const highest = 1_000_000_000
const system: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

export const priorityClassKind: Kind<PriorityClass> = {
  resource: priorityClasses,
  type: 'scheduling.PriorityClass',
  singular: 'priorityclass',
  shortNames: ['pc'],
  columns: [nameColumn, integer('Value'), boolean('Global-Default'), ageColumn, text('PreemptionPolicy')],
  row: (priority, nowMs) => [
    nameOf(priority),
    priority.value ?? 0,
    priority.globalDefault ?? false,
    age(priority, nowMs),
    priority.preemptionPolicy ?? '',
  ],
  default: (priority) => ({ ...priority, preemptionPolicy: priority.preemptionPolicy ?? 'PreemptLowerPriority' }),
  generation: 'body',
  admit: {
    create: (priority, { objects }) => onlyDefault(priority, objects),
    update: (priority, _old, { objects }) => onlyDefault(priority, objects),
  },
  validate,
}

async function onlyDefault(priority: PriorityClass, objects: Objects): Promise<Admitted<PriorityClass>> {
  const name = nameOf(priority)
  const others = priority.globalDefault ? await objects.list(priorityClasses) : []
  const other = others.find((one) => one.globalDefault && nameOf(one) !== name)
  if (other === undefined) return { kind: 'admitted', object: priority }
  const why = `PriorityClass ${nameOf(other)} is already marked as default. Only one default can exist`
  return { kind: 'status', status: refused(priorityClasses, name, why) }
}

function validate(priority: PriorityClass, old: PriorityClass | undefined): FieldError[] {
  const { value = 0, preemptionPolicy } = priority
  const name = nameOf(priority)
  const errors: FieldError[] = []
  if (old !== undefined) {
    if (value !== (old.value ?? 0)) errors.push(forbidden('value', 'may not be changed in an update.'))
    if (preemptionPolicy !== old.preemptionPolicy)
      errors.push(invalid('preemptionPolicy', preemptionPolicy, 'field is immutable'))
    return errors
  }
  if (name.startsWith('system-')) {
    const known = system[name]
    const why =
      known === undefined
        ? `${name} is not a known system priority class`
        : `value of ${name} PriorityClass must be ${known}`
    const detail = `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`
    if (known !== value) errors.push(forbidden('metadata.name', detail))
  } else if (value > highest)
    errors.push(forbidden('value', `maximum allowed value of a user defined priority is ${highest}`))
  return [...errors, ...checkOptionalWord('preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never'])]
}
