// Roles and bindings: defaults, and what they may say (Kubernetes' pkg/apis/rbac).

import { checkForm } from '#api/check-field.ts'
import { type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import { dns1123Subdomain, pathSegment } from '#api/names.ts'
import type { ClusterRole, PolicyRule, RoleBinding, Subject } from '#api/rbac.ts'
import { equalJson } from '#lib/equal.ts'

const group = 'rbac.authorization.k8s.io'

export function validateRules(rules: readonly PolicyRule[] | undefined, isNamespaced: boolean): FieldError[] {
  return (rules ?? []).flatMap((rule, at) => checkRule(rule, isNamespaced, `rules[${at}]`))
}

function checkRule(rule: PolicyRule, isNamespaced: boolean, path: string): FieldError[] {
  const { verbs, nonResourceURLs: urls = [], apiGroups, resources, resourceNames } = rule
  const errors = verbs?.length ? [] : [required(`${path}.verbs`, 'verbs must contain at least one value')]
  if (urls.length > 0) {
    const place = `${path}.nonResourceURLs`
    if (isNamespaced) errors.push(invalid(place, urls, 'namespaced rules cannot apply to non-resource URLs'))
    if (apiGroups?.length || resources?.length || resourceNames?.length)
      errors.push(invalid(place, urls, 'rules cannot apply to both regular resources and non-resource URLs'))
    return errors
  }
  if (!apiGroups?.length)
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
  if (!resources?.length) errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'))
  return errors
}

export function validateClusterRole({ rules, aggregationRule }: ClusterRole): FieldError[] {
  const errors = validateRules(rules, false)
  if (aggregationRule === undefined) return errors
  const path = 'aggregationRule.clusterRoleSelectors'
  const selectors = aggregationRule.clusterRoleSelectors ?? []
  if (selectors.length === 0)
    errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'))
  return [...errors, ...selectors.flatMap((selector, at) => checkLabelSelector(selector, `${path}[${at}]`))]
}

/** Bindings of both scopes are alike. */
export function defaultBinding<T extends Pick<RoleBinding, 'roleRef' | 'subjects'>>(binding: T): T {
  const subjects = binding.subjects?.map((subject) =>
    subject.apiGroup || subject.kind === 'ServiceAccount' ? subject : { ...subject, apiGroup: group },
  )
  const roleRef = { ...binding.roleRef, apiGroup: binding.roleRef?.apiGroup || group }
  return { ...binding, roleRef, ...(subjects ? { subjects } : {}) }
}

export function validateBinding(
  binding: Pick<RoleBinding, 'roleRef' | 'subjects'>,
  old: Pick<RoleBinding, 'roleRef' | 'subjects'> | undefined,
  isNamespaced: boolean,
): FieldError[] {
  const { apiGroup, kind, name } = binding.roleRef
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const errors: FieldError[] = []
  if (apiGroup !== group) errors.push(notSupported('roleRef.apiGroup', apiGroup, [group]))
  if (!kinds.includes(kind)) errors.push(notSupported('roleRef.kind', kind ?? '', kinds))
  errors.push(...(name ? checkForm('roleRef.name', name, pathSegment) : [required('roleRef.name')]))
  for (const [at, subject] of (binding.subjects ?? []).entries())
    errors.push(...checkSubject(subject, isNamespaced, `subjects[${at}]`))
  if (old !== undefined && !equalJson(old.roleRef, binding.roleRef))
    errors.push(invalid('roleRef', { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef'))
  return errors
}

const subjectKinds = ['ServiceAccount', 'User', 'Group']

function checkSubject(
  { kind, name, namespace, apiGroup = '' }: Subject,
  isNamespaced: boolean,
  path: string,
): FieldError[] {
  const errors = name ? [] : [required(`${path}.name`)]
  if (!subjectKinds.includes(kind)) return [...errors, notSupported(`${path}.kind`, kind ?? '', subjectKinds)]
  if (kind !== 'ServiceAccount')
    return apiGroup === group ? errors : [...errors, notSupported(`${path}.apiGroup`, apiGroup, [group])]
  if (name) errors.push(...checkForm(`${path}.name`, name, dns1123Subdomain))
  if (apiGroup !== '') errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']))
  if (!isNamespaced && !namespace) errors.push(required(`${path}.namespace`))
  return errors
}
