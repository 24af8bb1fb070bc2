// Rules of roles: whether one allows a request, and whether some rules give all that others give (component-helpers'
// auth/rbac/validation).

import { quote } from '#api/go-text.ts'
import type { PolicyRule } from '#api/rbac.ts'
import type { Attributes } from '#apiserver/auth/attributes.ts'

/** What a rule does not say it has none of. */
export type Rule = PolicyRule

export function allows(rule: Rule, attributes: Attributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false
  if (attributes.kind === 'path') return rule.nonResourceURLs?.some((url) => coversUrl(url, attributes.path)) ?? false
  const { group, resource, subresource, name } = attributes
  if (!hasOrAll(rule.apiGroups, group)) return false
  if (rule.resourceNames?.length && !rule.resourceNames.includes(name)) return false
  const whole = subresource === '' ? resource : `${resource}/${subresource}`
  return coversResource(rule.resources, whole)
}

const hasOrAll = (values: readonly string[] = [], value: string) => values.includes('*') || values.includes(value)

/** `pods` covers itself, `*` everything, `*` + `/scale` that subresource of everything. */
function coversResource(resources: readonly string[] = [], wanted: string): boolean {
  if (hasOrAll(resources, wanted)) return true
  const slash = wanted.indexOf('/')
  return slash >= 0 && resources.includes(`*${wanted.slice(slash)}`)
}

const coversUrl = (owned: string, wanted: string) =>
  owned === wanted || (owned.endsWith('*') && wanted.startsWith(owned.replace(/\*+$/, '')))

/** What of `wanted` the owner's rules do not give, in rules of one verb, one resource and one name. */
export function uncovered(owned: readonly Rule[], wanted: readonly Rule[]): readonly Rule[] {
  return wanted.flatMap(atomsOf).filter((atom) => !owned.some((rule) => covers(rule, atom)))
}

function atomsOf({
  verbs = [],
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: Rule): Rule[] {
  const named = (rule: Rule): Rule[] =>
    resourceNames.length === 0 ? [rule] : resourceNames.map((name) => ({ ...rule, resourceNames: [name] }))
  const ofResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) => named({ apiGroups: [group], resources: [resource], verbs: [verb] })),
    ),
  )
  return [
    ...ofResources,
    ...nonResourceURLs.flatMap((url) => verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] }))),
  ]
}

function covers(owned: Rule, atom: Rule): boolean {
  const every = (values: readonly string[] | undefined, isCovered: (value: string) => boolean) =>
    (values ?? []).every(isCovered)
  const isNamed = Boolean(owned.resourceNames?.length)
  return (
    every(atom.verbs, (verb) => hasOrAll(owned.verbs, verb)) &&
    every(atom.apiGroups, (group) => hasOrAll(owned.apiGroups, group)) &&
    every(atom.resources, (resource) => coversResource(owned.resources, resource)) &&
    every(atom.nonResourceURLs, (url) => owned.nonResourceURLs?.some((own) => coversUrl(own, url)) ?? false) &&
    (!isNamed ||
      (Boolean(atom.resourceNames?.length) && every(atom.resourceNames, (name) => owned.resourceNames!.includes(name))))
  )
}

/** Atoms of one resource as one rule, each as Kubernetes writes it in its refusals, in order. */
export function describeRules(atoms: readonly Rule[]): readonly string[] {
  const compact = new Map<string, Rule>()
  for (const atom of atoms) {
    const { verbs, ...rest } = atom
    const key = JSON.stringify('nonResourceURLs' in atom ? atom : rest)
    const before = compact.get(key)
    compact.set(key, before === undefined ? atom : { ...atom, verbs: [...before.verbs, ...verbs] })
  }
  return [...new Set([...compact.values()].map(describe))].sort()
}

function describe({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: Rule): string {
  const parts = {
    APIGroups: apiGroups,
    Resources: resources,
    NonResourceURLs: nonResourceURLs,
    ResourceNames: resourceNames,
    Verbs: verbs,
  }
  const texts = Object.entries(parts).flatMap(([name, values]) =>
    values?.length ? [`${name}:${quoteAll(values)}`] : [],
  )
  return `{${texts.join(', ')}}`
}

export const quoteAll = (values: readonly string[]): string => `[${values.map(quote).join(' ')}]`
