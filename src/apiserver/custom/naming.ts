// Whether a definition may have the names that it asks for, and what its conditions say then (apiextensions-apiserver's
// controller/status and controller/establish).

import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '#api/custom-resource.ts'
import { quote } from '#api/go-text.ts'
import { equalJson } from '#lib/equal.ts'

type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>

export const conditionOf = (
  { status }: CustomResourceDefinition,
  type: string,
): CustomResourceDefinitionCondition | undefined => status?.conditions?.find((condition) => condition.type === type)

export const isEstablished = (definition: CustomResourceDefinition): boolean =>
  conditionOf(definition, 'Established')?.status === 'True'

/** The definition with the names that are free and the conditions that follow; itself where nothing changes. */
export function withNames(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  time: string,
): CustomResourceDefinition {
  const wanted = definition.spec.names
  const accepted = definition.status?.acceptedNames
  const taken = namesOf(others.filter(({ spec }) => spec?.group === definition.spec.group))
  const conflicts: Condition[] = []
  const pick = <T extends string>(name: T, used: ReadonlySet<string>, what: string) => {
    const now = (wanted as Record<string, unknown>)[name] as string | undefined
    const before = (accepted as Record<string, unknown> | undefined)?.[name] as string | undefined
    if (now === before || now === undefined || !used.has(now)) return now
    conflicts.push(notAccepted(`${what}Conflict`, `${quote(now)} is already in use`))
    return before
  }
  const plural = pick('plural', taken.resources, 'Plural')
  const singular = pick('singular', taken.resources, 'Singular')
  const shortNames = pickShort(wanted, accepted, taken.resources, conflicts)
  const kind = pick('kind', taken.kinds, 'Kind')
  const listKind = pick('listKind', taken.kinds, 'ListKind')
  const names = { plural, singular, shortNames, kind, listKind, categories: wanted.categories }
  const acceptedNames = withoutUndefined({
    ...names,
    plural: plural ?? '',
    kind: kind ?? '',
  }) as CustomResourceDefinitionNames
  const named =
    conflicts.at(-1) ??
    ({ type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' } as const)
  const conditions = withCondition(
    withCondition(definition.status?.conditions ?? [], named, time),
    establishedAs(definition, named.status === 'True'),
    time,
  )
  if (equalJson(acceptedNames, accepted) && equalJson(conditions, definition.status?.conditions)) return definition
  return {
    ...definition,
    status: {
      ...definition.status,
      acceptedNames,
      conditions,
      storedVersions: definition.status?.storedVersions ?? [],
    },
  }
}

const notAccepted = (reason: string, message: string): Condition => ({
  type: 'NamesAccepted',
  status: 'False',
  reason,
  message,
})

/** Once established it stays so, whatever becomes of its names. */
function establishedAs(definition: CustomResourceDefinition, isAccepted: boolean): Condition {
  if (isAccepted || isEstablished(definition))
    return {
      type: 'Established',
      status: 'True',
      reason: 'InitialNamesAccepted',
      message: 'the initial names have been accepted',
    }
  return { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
}

function pickShort(
  wanted: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames | undefined,
  used: ReadonlySet<string>,
  conflicts: Condition[],
): readonly string[] | undefined {
  const own = accepted?.shortNames ?? []
  const wrong = (wanted.shortNames ?? []).filter((name) => !own.includes(name) && used.has(name))
  if (wrong.length === 0) return wanted.shortNames
  const texts = wrong.map((name) => `${quote(name)} is already in use`)
  conflicts.push(notAccepted('ShortNamesConflict', texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`))
  return accepted?.shortNames
}

function namesOf(definitions: readonly CustomResourceDefinition[]) {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const { status } of definitions) {
    const { plural = '', singular = '', shortNames = [], kind = '', listKind = '' } = status?.acceptedNames ?? {}
    for (const name of [plural, singular, ...shortNames]) resources.add(name)
    for (const name of [kind, listKind]) kinds.add(name)
  }
  resources.delete('')
  kinds.delete('')
  return { resources, kinds }
}

/** A condition set; its time changes with its status. */
export function withCondition(
  conditions: readonly CustomResourceDefinitionCondition[],
  condition: Condition,
  time: string,
): readonly CustomResourceDefinitionCondition[] {
  const before = conditions.find(({ type }) => type === condition.type)
  const since = before?.status === condition.status ? (before.lastTransitionTime ?? time) : time
  const now = { ...condition, lastTransitionTime: since }
  return before === undefined ? [...conditions, now] : conditions.map((one) => (one === before ? now : one))
}

const withoutUndefined = (object: object) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
