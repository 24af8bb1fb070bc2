// What a pod and a pod template may say (Kubernetes' pkg/apis/core/validation): its own fields; containers, volumes and
// scheduling are in files beside. Errors come in upstream's order. Fields that only Windows has are kept unchecked.

import { checkIp } from '#api/address.ts'
import { checkForm, checkOptional, checkOptionalWord, checkWord } from '#api/check-field.ts'
import type { Pod, PodSpec, PodTemplateSpec } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, required, tooLong } from '#api/field-error.ts'
import { byteLength } from '#api/go-text.ts'
import { checkLabels } from '#api/labels.ts'
import * as names from '#api/names.ts'
import { checkContainers, checkImageSpace, checkInitContainers, type PodView } from '#api/pod/validate-container.ts'
import { checkEphemeralContainers } from '#api/pod/validate-ephemeral.ts'
import { checkAffinity, checkSpread, checkTolerations } from '#api/pod/validate-scheduling.ts'
import { checkVolumes } from '#api/pod/validate-volume.ts'

/** A pod that is to be created; of a stored one, validate-update.ts asks more. */
export function validatePod(pod: Pod): FieldError[] {
  const spec = specOf(pod)
  const errors = validateStoredPod(pod)
  if (spec.ephemeralContainers?.length) errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'))
  if (spec.nodeName && spec.schedulingGates?.length)
    errors.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'))
  return errors
}

/** What holds for a pod at any time. */
export function validateStoredPod(pod: Pod): FieldError[] {
  const spec = specOf(pod)
  return [
    ...validatePodSpec(spec, 'spec', { isPod: true }),
    ...checkImageSpace(spec.containers, 'spec.containers'),
    ...checkImageSpace(spec.initContainers, 'spec.initContainers'),
  ]
}

export function validatePodTemplate(template: PodTemplateSpec, path: string): FieldError[] {
  const spec = template.spec ?? noContainers
  const errors = [
    ...checkLabels(template.metadata?.labels, `${path}.labels`),
    ...validatePodSpec(spec, `${path}.spec`, { isPod: false }),
  ]
  if (spec.ephemeralContainers?.length)
    errors.push(forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'))
  return errors
}

const noContainers: PodSpec = { containers: [] }
const specOf = (pod: Pod): PodSpec => pod.spec ?? noContainers

export function validatePodSpec(spec: PodSpec, path: string, options: { isPod: boolean }): FieldError[] {
  const volumes = checkVolumes(spec.volumes ?? [], `${path}.volumes`)
  const pod: PodView = {
    volumes: volumes.usable,
    graceSeconds: spec.terminationGracePeriodSeconds,
    claims: new Set(spec.resourceClaims?.map(({ name }) => name)),
  }
  const containers = spec.containers ?? []
  const init = spec.initContainers ?? []
  return [
    ...(spec.terminationGracePeriodSeconds === undefined ? [required(`${path}.terminationGracePeriodSeconds`)] : []),
    ...volumes.errors,
    ...checkContainers(containers, pod, `${path}.containers`),
    ...checkInitContainers(init, containers, pod, `${path}.initContainers`),
    ...checkEphemeralContainers(
      spec.ephemeralContainers ?? [],
      [...containers, ...init],
      pod,
      `${path}.ephemeralContainers`,
    ),
    ...(spec.hostNetwork ? checkHostNetwork(spec, path, options.isPod) : []),
    ...checkWord(`${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...checkWord(`${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...checkLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...checkSecurity(spec, path),
    ...(spec.affinity ? checkAffinity(spec.affinity, `${path}.affinity`) : []),
    ...checkDns(spec, `${path}.dnsConfig`),
    ...checkGates(spec, path),
    ...checkSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...checkNames(spec, path),
    ...checkTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...checkHostAliases(spec, `${path}.hostAliases`),
    ...checkOptional(`${path}.priorityClassName`, spec.priorityClassName, names.dns1123Subdomain),
    ...checkOptional(`${path}.runtimeClassName`, spec.runtimeClassName, names.dns1123Subdomain),
    ...checkOptionalWord(`${path}.preemptionPolicy`, spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']),
    ...(spec.os ? checkWord(`${path}.os.name`, spec.os.name, ['linux', 'windows']) : []),
  ]
}

/** On the host's network a port is the host's; in a template it may still be left out. */
function checkHostNetwork(spec: PodSpec, path: string, isPod: boolean): FieldError[] {
  return (spec.containers ?? []).flatMap(({ ports = [] }, at) =>
    ports.flatMap(({ hostPort = 0, containerPort }, place) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [
            invalid(
              `${path}.containers[${at}].ports[${place}].hostPort`,
              hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ]
        : [],
    ),
  )
}

function checkSecurity(spec: PodSpec, path: string): FieldError[] {
  const { fsGroup, runAsUser, runAsGroup, supplementalGroups = [], fsGroupChangePolicy } = spec.securityContext ?? {}
  const place = `${path}.securityContext`
  const errors: FieldError[] = []
  if (fsGroup !== undefined) errors.push(...checkForm(`${place}.fsGroup`, fsGroup, names.groupId))
  if (runAsUser !== undefined) errors.push(...checkForm(`${place}.runAsUser`, runAsUser, names.userId))
  if (runAsGroup !== undefined) errors.push(...checkForm(`${place}.runAsGroup`, runAsGroup, names.groupId))
  for (const [at, group] of supplementalGroups.entries())
    errors.push(...checkForm(`${place}.supplementalGroups[${at}]`, group, names.groupId))
  if (spec.shareProcessNamespace && spec.hostPID) {
    const detail = 'ShareProcessNamespace and HostPID cannot both be enabled'
    errors.push(invalid(`${place}.shareProcessNamespace`, true, detail))
  }
  return [
    ...errors,
    ...checkOptionalWord(`${place}.fsGroupChangePolicy`, fsGroupChangePolicy, ['Always', 'OnRootMismatch']),
  ]
}

function checkDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {}
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    if (nameservers.length === 0)
      return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')]
  }
  const errors: FieldError[] = []
  if (nameservers.length > 3)
    errors.push(invalid(`${path}.nameservers`, nameservers, 'must not have more than 3 nameservers'))
  for (const [at, ip] of nameservers.entries()) errors.push(...checkIp(`${path}.nameservers[${at}]`, ip, undefined))
  const list = `${path}.searches`
  if (searches.length > 32) errors.push(invalid(list, searches, 'must not have more than 32 search paths'))
  if (byteLength(searches.join(' ')) > 2048)
    errors.push(
      invalid(list, searches, 'must not have more than 2048 characters (including spaces) in the search list'),
    )
  for (const [at, search] of searches.entries()) {
    const domain = search.replace(/\.$/, '')
    // Underscores are allowed in search domains, as `_tcp` has one.
    if (search !== '.') errors.push(...checkForm(`${list}[${at}]`, domain, searchDomain))
  }
  for (const [at, { name }] of options.entries())
    if (!name) errors.push(required(`${path}.options[${at}]`, 'must not be empty'))
  return errors
}

const underscored = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const searchPattern = `${underscored}(\\.${underscored})*`

function searchDomain(value: string): string[] {
  const errors = byteLength(value) > 253 ? ['must be no more than 253 characters'] : []
  if (!new RegExp(`^${searchPattern}$`).test(value))
    errors.push(
      `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${searchPattern}')`,
    )
  return errors
}

function checkGates({ readinessGates = [], schedulingGates = [] }: PodSpec, path: string): FieldError[] {
  const seen = new Set<string>()
  return [
    ...readinessGates.flatMap(({ conditionType }, at) =>
      checkForm(`${path}.readinessGates[${at}].conditionType`, conditionType, names.qualifiedName),
    ),
    ...schedulingGates.flatMap(({ name }, at) => {
      const errors = checkForm(`${path}.schedulingGates[${at}]`, name, names.qualifiedName)
      if (seen.has(name)) errors.push(duplicate(`${path}.schedulingGates[${at}]`, name))
      seen.add(name)
      return errors
    }),
  ]
}

function checkNames(spec: PodSpec, path: string): FieldError[] {
  const { activeDeadlineSeconds: deadline, hostnameOverride } = spec
  const errors: FieldError[] = []
  if (hostnameOverride !== undefined) {
    const place = `${path}.hostnameOverride`
    if (spec.setHostnameAsFQDN) errors.push(forbidden(place, 'may not be specified when setHostnameAsFQDN is true'))
    if (spec.hostNetwork) errors.push(forbidden(place, 'may not be specified when hostNetwork is true'))
    if (byteLength(hostnameOverride) > 64) errors.push(tooLong(place, 64))
    errors.push(...checkForm(place, hostnameOverride, names.dns1123Subdomain))
  }
  errors.push(...checkOptional(`${path}.serviceAccountName`, spec.serviceAccountName, names.dns1123Subdomain))
  errors.push(...checkOptional(`${path}.nodeName`, spec.nodeName, names.dns1123Subdomain))
  if (deadline !== undefined)
    errors.push(
      ...checkForm(`${path}.activeDeadlineSeconds`, deadline, (value: number) => names.inRange(value, 1, 2147483647)),
    )
  errors.push(...checkOptional(`${path}.hostname`, spec.hostname, names.dns1123Label))
  return [...errors, ...checkOptional(`${path}.subdomain`, spec.subdomain, names.dns1123Label)]
}

function checkHostAliases({ hostAliases = [] }: PodSpec, path: string): FieldError[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, at) => [
    ...checkIp(`${path}[${at}].ip`, ip ?? '', undefined),
    ...hostnames.flatMap((name, place) =>
      checkForm(`${path}[${at}].hostnames[${place}]`, name, names.dns1123Subdomain),
    ),
  ])
}
