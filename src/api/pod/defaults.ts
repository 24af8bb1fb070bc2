// The defaults of pods and of pod templates (Kubernetes' pkg/apis/core/v1/defaults.go), and the tolerations that
// admission gives to pods alone.

import type { Container, Pod, PodSpec, PodTemplateSpec, Probe, Toleration, Volume } from '#api/core.ts'
import type { Typed } from '#api/schema/schema.ts'

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type LifecycleHandler = Typed<'core', 'LifecycleHandler'>
type HttpGet = Typed<'core', 'HTTPGetAction'>

/** Defaults of what a pod and a template share. */
export function defaultPodSpec(given: PodSpec): PodSpec {
  const spec: Draft<PodSpec> = { ...given }
  spec.dnsPolicy ||= 'ClusterFirst'
  spec.restartPolicy ||= 'Always'
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ||= 'default-scheduler'
  alignServiceAccount(spec)
  spec.containers = (spec.containers ?? []).map(defaultContainer)
  if (spec.initContainers) spec.initContainers = spec.initContainers.map(defaultContainer)
  if (spec.ephemeralContainers) spec.ephemeralContainers = spec.ephemeralContainers.map(defaultContainer)
  if (spec.volumes) spec.volumes = spec.volumes.map(defaultVolume)
  return spec
}

export function defaultPodTemplate(template: PodTemplateSpec | undefined): PodTemplateSpec {
  return { ...template, metadata: template?.metadata ?? {}, spec: defaultPodSpec(template?.spec ?? noContainers) }
}
const noContainers: PodSpec = { containers: [] }

export function defaultPod(pod: Pod): Pod {
  const spec: Draft<PodSpec> = { ...defaultPodSpec(pod.spec ?? noContainers) }
  spec.enableServiceLinks ??= true
  spec.containers = spec.containers.map((container) => defaultRequests(container, spec.hostNetwork === true))
  if (spec.initContainers)
    spec.initContainers = spec.initContainers.map((container) => defaultRequests(container, spec.hostNetwork === true))
  return { ...pod, spec }
}

/** The old name of the field is kept in step with the new one, which wins. */
function alignServiceAccount(spec: Draft<PodSpec>): void {
  const name = spec.serviceAccountName || spec.serviceAccount
  if (!name) return
  spec.serviceAccountName = name
  spec.serviceAccount = name
}

function defaultContainer<T extends Container>(given: T): T {
  const container: Draft<Container> = { ...given }
  container.resources ??= {}
  container.terminationMessagePath ||= '/dev/termination-log'
  container.terminationMessagePolicy ||= 'File'
  container.imagePullPolicy ||= isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent'
  if (container.ports) container.ports = container.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' }))
  if (container.env) container.env = container.env.map(defaultEnv)
  if (container.livenessProbe) container.livenessProbe = defaultProbe(container.livenessProbe)
  if (container.readinessProbe) container.readinessProbe = defaultProbe(container.readinessProbe)
  if (container.startupProbe) container.startupProbe = defaultProbe(container.startupProbe)
  if (container.lifecycle) {
    const { postStart, preStop, ...rest } = container.lifecycle
    container.lifecycle = {
      ...rest,
      ...(postStart ? { postStart: defaultHandler(postStart) } : {}),
      ...(preStop ? { preStop: defaultHandler(preStop) } : {}),
    }
  }
  return container as T
}

/** An image without a tag, or with the tag `latest`, is asked for anew each time; one with a digest is not. */
export function isLatest(image: string): boolean {
  if (image.includes('@')) return false
  const last = image.slice(image.lastIndexOf('/') + 1)
  const tag = last.includes(':') ? last.slice(last.indexOf(':') + 1) : 'latest'
  return tag === 'latest'
}

function defaultEnv(variable: NonNullable<Container['env']>[number]): NonNullable<Container['env']>[number] {
  const { valueFrom } = variable
  if (valueFrom === undefined) return variable
  const { fieldRef, resourceFieldRef } = valueFrom
  return {
    ...variable,
    valueFrom: {
      ...valueFrom,
      ...(fieldRef ? { fieldRef: { ...fieldRef, apiVersion: fieldRef.apiVersion || 'v1' } } : {}),
      ...(resourceFieldRef
        ? { resourceFieldRef: { ...resourceFieldRef, divisor: resourceFieldRef.divisor ?? '0' } }
        : {}),
    },
  }
}

function defaultProbe(probe: Probe): Probe {
  return {
    ...probe,
    ...(probe.httpGet ? { httpGet: defaultHttpGet(probe.httpGet) } : {}),
    ...(probe.grpc ? { grpc: { ...probe.grpc, service: probe.grpc.service ?? '' } } : {}),
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
  }
}

function defaultHandler(handler: LifecycleHandler): LifecycleHandler {
  return handler.httpGet ? { ...handler, httpGet: defaultHttpGet(handler.httpGet) } : handler
}

function defaultHttpGet(action: HttpGet): HttpGet {
  return { ...action, path: action.path || '/', scheme: action.scheme || 'HTTP' }
}

/** Requests follow limits; on the host's network every port is a host port. Both only in pods, not in templates. */
function defaultRequests(container: Container, isOnHostNetwork: boolean): Container {
  const limits = container.resources?.limits
  const resources = limits
    ? { ...container.resources, requests: { ...limits, ...container.resources?.requests } }
    : container.resources
  const ports = isOnHostNetwork
    ? container.ports?.map((port) => ({ ...port, hostPort: port.hostPort || port.containerPort }))
    : container.ports
  return { ...container, ...(resources ? { resources } : {}), ...(ports ? { ports } : {}) }
}

function defaultVolume(volume: Volume): Volume {
  const filled: Draft<Volume> = { ...volume }
  if (Object.keys(volume).every((field) => field === 'name')) filled.emptyDir = {}
  if (volume.secret) filled.secret = { ...volume.secret, defaultMode: volume.secret.defaultMode ?? 0o644 }
  if (volume.configMap) filled.configMap = { ...volume.configMap, defaultMode: volume.configMap.defaultMode ?? 0o644 }
  if (volume.hostPath) filled.hostPath = { ...volume.hostPath, type: volume.hostPath.type ?? '' }
  if (volume.downwardAPI) {
    const { items, ...rest } = volume.downwardAPI
    filled.downwardAPI = {
      ...rest,
      ...(items ? { items: items.map(defaultDownwardFile) } : {}),
      defaultMode: volume.downwardAPI.defaultMode ?? 0o644,
    }
  }
  if (volume.projected) {
    const { sources, ...rest } = volume.projected
    filled.projected = {
      ...rest,
      ...(sources ? { sources: sources.map(defaultProjection) } : {}),
      defaultMode: volume.projected.defaultMode ?? 0o644,
    }
  }
  return filled
}

type DownwardFile = Typed<'core', 'DownwardAPIVolumeFile'>
type Projection = Typed<'core', 'VolumeProjection'>

function defaultDownwardFile(file: DownwardFile): DownwardFile {
  const { fieldRef } = file
  return fieldRef ? { ...file, fieldRef: { ...fieldRef, apiVersion: fieldRef.apiVersion || 'v1' } } : file
}

function defaultProjection(source: Projection): Projection {
  const { serviceAccountToken: token, downwardAPI: downward } = source
  return {
    ...source,
    ...(token ? { serviceAccountToken: { ...token, expirationSeconds: token.expirationSeconds ?? 3600 } } : {}),
    ...(downward?.items ? { downwardAPI: { ...downward, items: downward.items.map(defaultDownwardFile) } } : {}),
  }
}

const lostNode: readonly Toleration[] = ['not-ready', 'unreachable'].map((taint) => ({
  key: `node.kubernetes.io/${taint}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}))

/** A pod stays five minutes on a node that is lost, unless it says otherwise (DefaultTolerationSeconds). */
export function addTolerations(pod: Pod): Pod {
  const spec = pod.spec ?? noContainers
  const given = spec.tolerations ?? []
  const added = lostNode.filter(
    (wanted) => !given.some(({ key, effect }) => (key === wanted.key || !key) && (effect === 'NoExecute' || !effect)),
  )
  return added.length === 0 ? pod : { ...pod, spec: { ...spec, tolerations: [...given, ...added] } }
}
