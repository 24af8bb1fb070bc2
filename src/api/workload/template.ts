// What the objects that make pods from a template have in common: the selector fits the template, and the template is
// that of pods which run for ever.

import type { PodTemplateSpec } from '#api/core.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import type { LabelSelector } from '#api/meta.ts'
import { dns1123Label } from '#api/names.ts'
import { validatePodTemplate } from '#api/pod/validate.ts'
import { matchLabels, requirementsOf } from '#api/selector.ts'
import { equalJson } from '#lib/equal.ts'

/** `owner`: how texts call the kind. An absent selector selects nothing, so it does not fit any template. */
export function checkSelector(selector: LabelSelector | undefined, owner: string): FieldError[] {
  if (selector === undefined) return [required('spec.selector')]
  const isEmpty = !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length
  return [
    ...checkLabelSelector(selector, 'spec.selector'),
    ...(isEmpty ? [invalid('spec.selector', selector, `empty selector is invalid for ${owner}`)] : []),
  ]
}

export function checkFit(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined): FieldError[] {
  const labels = template?.metadata?.labels
  const requirements = requirementsOf(selector)
  if (requirements.kind === 'error') return [invalid('spec.selector', selector, 'invalid label selector')]
  if (matchLabels(requirements.value, labels)) return []
  return [invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')]
}

export function checkLastingTemplate(template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  return [...validatePodTemplate(template ?? {}, 'spec.template'), ...checkLasting(template, owner)]
}

/** Such pods are restarted whatever happens. */
export function checkLasting(template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {}
  const path = 'spec.template.spec'
  return [
    ...(restartPolicy === 'Always' ? [] : [notSupported(`${path}.restartPolicy`, restartPolicy ?? '', ['Always'])]),
    ...(activeDeadlineSeconds === undefined
      ? []
      : [forbidden(`${path}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${owner} is not Supported`)]),
  ]
}

export function checkSameSelector(selector: LabelSelector | undefined, old: LabelSelector | undefined): FieldError[] {
  return equalJson(selector, old) ? [] : [invalid('spec.selector', selector, 'field is immutable')]
}

/** The name becomes part of names of pods. */
export function warnAboutPodNames(name: string): string[] {
  const wrong = dns1123Label(name)
  if (wrong.length === 0) return []
  const text =
    'this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended'
  return [`metadata.name: ${text}: [${wrong.join(' ')}]`]
}
