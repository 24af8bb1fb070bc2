// What the environment of a container may say.

import { checkForm } from '#api/check-field.ts'
import type { Container, EnvFromSource, EnvVar } from '#api/core.ts'
import { type FieldError, invalid, notSupported, required } from '#api/field-error.ts'
import * as names from '#api/names.ts'
import { canonicalQuantity } from '#api/quantity.ts'
import type { Typed } from '#api/schema/schema.ts'
import { checkNoBacksteps } from '#api/pod/validate-path.ts'

type FieldRef = Typed<'core', 'ObjectFieldSelector'>
type ResourceRef = Typed<'core', 'ResourceFieldSelector'>
type FileRef = Typed<'core', 'FileKeySelector'>
type KeyRef = Typed<'core', 'ConfigMapKeySelector'>

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
/** All that a Pod tells of itself; each place takes some of them. */
const podFields = [
  ...envFields,
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]
const resources = ['limits', 'requests'].flatMap((list) =>
  ['cpu', 'ephemeral-storage', 'memory'].map((resource) => `${list}.${resource}`),
)

export function checkEnv(variables: Container['env'], path: string): FieldError[] {
  return (variables ?? []).flatMap((variable, at) => [
    ...(variable.name
      ? checkForm(`${path}[${at}].name`, variable.name, names.envVarName)
      : [required(`${path}[${at}].name`)]),
    ...checkSource(variable, `${path}[${at}].valueFrom`),
  ])
}

function checkSource({ value, valueFrom }: EnvVar, path: string): FieldError[] {
  if (valueFrom === undefined) return []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom
  const errors: FieldError[] = []
  if (fieldRef) errors.push(...checkFieldRef(fieldRef, envFields, `${path}.fieldRef`))
  if (resourceFieldRef) errors.push(...checkResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, false))
  if (configMapKeyRef) errors.push(...checkKeyRef(configMapKeyRef, `${path}.configMapKeyRef`))
  if (secretKeyRef) errors.push(...checkKeyRef(secretKeyRef, `${path}.secretKeyRef`))
  if (fileKeyRef) errors.push(...checkFileRef(fileKeyRef, `${path}.fileKeyRef`))
  const count = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length
  const choices = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`'
  if (count === 0) errors.push(invalid(path, '', `must specify one of: ${choices}`))
  else if (value) errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (count > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
  return errors
}

/** `known`: the fields that may be read in this place; labels and annotations may be read one by one: `['key']`. */
export function checkFieldRef(
  { apiVersion, fieldPath }: FieldRef,
  known: readonly string[],
  path: string,
): FieldError[] {
  if (!apiVersion) return [required(`${path}.apiVersion`)]
  if (!fieldPath) return [required(`${path}.fieldPath`)]
  const [, field = '', key = ''] = /^([^[]*)\['(.*)'\]$/.exec(fieldPath) ?? []
  if (apiVersion === 'v1' && field === 'metadata.annotations')
    return checkForm(path, key.toLowerCase(), names.qualifiedName)
  if (apiVersion === 'v1' && field === 'metadata.labels') return checkForm(path, key, names.qualifiedName)
  const unreadable = whyUnreadable(apiVersion, fieldPath, field)
  if (unreadable !== undefined)
    return [invalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: ${unreadable}`)]
  return known.includes(fieldPath) ? [] : [notSupported(`${path}.fieldPath`, fieldPath, known)]
}

function whyUnreadable(apiVersion: string, fieldPath: string, field: string): string | undefined {
  if (apiVersion !== 'v1') return `unsupported pod version: ${apiVersion}`
  if (field !== '') return `field label does not support subscript: ${fieldPath}`
  return podFields.includes(fieldPath) ? undefined : `field label not supported: ${fieldPath}`
}

export function checkResourceRef(ref: ResourceRef, path: string, isVolume: boolean): FieldError[] {
  const errors: FieldError[] = []
  const resource = ref.resource ?? ''
  const isHugePages = /^(requests|limits)\.hugepages-/.test(resource)
  if (isVolume && !ref.containerName) errors.push(required(`${path}.containerName`))
  else if (resource === '') errors.push(required(`${path}.resource`))
  else if (!resources.includes(resource) && !isHugePages)
    errors.push(notSupported(`${path}.resource`, resource, resources))
  return [...errors, ...checkDivisor(ref, path)]
}

const byteUnits = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const divisors: readonly { readonly of: RegExp; readonly units: readonly string[]; readonly text: string }[] = [
  { of: /\.cpu$/, units: ['1m', '1'], text: '1m and 1 are supported with the cpu resource' },
  { of: /\.memory$/, units: byteUnits, text: `${byteUnits.join(', ')} are supported with the memory resource` },
  {
    of: /\.ephemeral-storage$/,
    units: byteUnits,
    text: `${byteUnits.join(', ')} are supported with the local ephemeral storage resource`,
  },
  { of: /\.hugepages-/, units: byteUnits, text: `${byteUnits.join(', ')} are supported with the hugepages resource` },
]

function checkDivisor({ resource = '', divisor = '0' }: ResourceRef, path: string): FieldError[] {
  const parsed = canonicalQuantity(divisor)
  if (parsed.kind === 'error' || parsed.value === '0') return []
  const rule = divisors.find(({ of }) => of.test(resource))
  if (rule === undefined || rule.units.includes(parsed.value)) return []
  return [invalid(`${path}.divisor`, resource, `only divisor's values ${rule.text}`)]
}

function checkKeyRef({ name = '', key }: KeyRef, path: string): FieldError[] {
  return [
    ...checkForm(`${path}.name`, name, names.dns1123Subdomain),
    ...(key ? checkForm(`${path}.key`, key, names.configMapKey) : [required(`${path}.key`)]),
  ]
}

function checkFileRef(ref: FileRef, path: string): FieldError[] {
  return [
    ...(ref.key ? checkForm(`${path}.key`, ref.key, names.envVarName) : [required(`${path}.key`)]),
    ...(ref.volumeName
      ? checkForm(`${path}.volumeName`, ref.volumeName, names.dns1123Label)
      : [required(`${path}.volumeName`)]),
    ...(ref.path ? checkNoBacksteps(`${path}.path`, ref.path) : [required(`${path}.path`)]),
  ]
}

export function checkEnvFrom(sources: Container['envFrom'], path: string): FieldError[] {
  return (sources ?? []).flatMap((source, at) => checkEnvFromSource(source, path, at))
}

function checkEnvFromSource(source: EnvFromSource, listPath: string, at: number): FieldError[] {
  const { prefix, configMapRef, secretRef } = source
  const path = `${listPath}[${at}]`
  const errors = prefix ? checkForm(`${path}.prefix`, prefix, names.envVarName) : []
  for (const [field, ref] of Object.entries({ configMapRef, secretRef })) {
    if (ref === undefined) continue
    if (ref.name) errors.push(...checkForm(`${path}.${field}.name`, ref.name, names.dns1123Subdomain))
    else errors.push(required(`${path}.${field}.name`))
  }
  if (!configMapRef && !secretRef)
    errors.push(invalid(listPath, '', 'must specify one of: `configMapRef` or `secretRef`'))
  if (configMapRef && secretRef)
    errors.push(invalid(listPath, '', 'may not have more than one field specified at a time'))
  return errors
}
