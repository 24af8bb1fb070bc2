// What containers may say: of a pod, of a template, and the init containers before them.

import { checkForm, checkNotNegative, checkOptionalWord, checkPortReference, checkWord } from '#api/check-field.ts'
import type { Container, Probe, SecurityContext } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, required, tooMany } from '#api/field-error.ts'
import * as names from '#api/names.ts'
import { isSidecar } from '#api/pod/summary.ts'
import { checkEnv, checkEnvFrom } from '#api/pod/validate-env.ts'
import { checkResources } from '#api/pod/validate-resources.ts'
import { checkMounts, type Volumes } from '#api/pod/validate-volume.ts'
import type { Typed } from '#api/schema/schema.ts'

type Handler = Typed<'core', 'LifecycleHandler'> & Typed<'core', 'ProbeHandler'>
type HttpGet = Typed<'core', 'HTTPGetAction'>

/** What containers see of their pod. */
export type PodView = {
  readonly volumes: Volumes
  readonly graceSeconds: number | undefined
  readonly claims: ReadonlySet<string>
}

const protocols = ['SCTP', 'TCP', 'UDP']

export function checkContainers(containers: readonly Container[], pod: PodView, path: string): FieldError[] {
  if (containers.length === 0) return [required(path)]
  const seen = new Set<string>()
  const errors = containers.flatMap((container, at) => {
    const place = `${path}[${at}]`
    const found = checkContainer(container, pod, place)
    if (seen.has(container.name)) found.push(duplicate(`${place}.name`, container.name))
    seen.add(container.name)
    return [...found, ...checkRunning(container, pod, place), ...checkRestart(container, place)]
  })
  return [...errors, ...checkHostPorts(containers, path)]
}

/** They run one after the other and to their end, but for sidecars, which are like other containers. */
export function checkInitContainers(
  containers: readonly Container[],
  others: readonly Container[],
  pod: PodView,
  path: string,
): FieldError[] {
  const seen = new Set(others.map(({ name }) => name))
  return containers.flatMap((container, at) => {
    const place = `${path}[${at}]`
    const errors = [...checkContainer(container, pod, place), ...checkRestart(container, place)]
    if (seen.has(container.name)) errors.push(duplicate(`${place}.name`, container.name))
    if (container.name) seen.add(container.name)
    errors.push(...checkHostPorts([container], path))
    if (isSidecar(container)) return [...errors, ...checkRunning(container, pod, place)]
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      if (container[field] !== undefined)
        errors.push(forbidden(`${place}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
    return errors
  })
}

/** What every container says. */
export function checkContainer(container: Container, pod: PodView, path: string): FieldError[] {
  return [
    ...(container.name ? checkForm(`${path}.name`, container.name, names.dns1123Label) : [required(`${path}.name`)]),
    ...(container.image ? [] : [required(`${path}.image`)]),
    ...checkWord(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      'File',
      'FallbackToLogsOnError',
    ]),
    ...checkPorts(container.ports, `${path}.ports`),
    ...checkEnv(container.env, `${path}.env`),
    ...checkEnvFrom(container.envFrom, `${path}.envFrom`),
    ...checkMounts(container, pod.volumes, `${path}.volumeMounts`),
    ...checkWord(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...checkResources(container.resources ?? {}, `${path}.resources`, pod.claims),
    ...checkSecurity(container.securityContext ?? {}, `${path}.securityContext`),
  ]
}

/** Only in pods: a template may still be filled by someone. */
export function checkImageSpace(containers: readonly Container[] | undefined, path: string): FieldError[] {
  return (containers ?? []).flatMap(({ image = '' }, at) =>
    image === image.trim()
      ? []
      : [invalid(`${path}[${at}].image`, image, 'must not have leading or trailing whitespace')],
  )
}

function checkPorts(ports: Container['ports'], path: string): FieldError[] {
  const seen = new Set<string>()
  return (ports ?? []).flatMap(({ name, containerPort, hostPort, protocol }, at) => {
    const place = `${path}[${at}]`
    const errors = name ? checkForm(`${place}.name`, name, names.portName) : []
    if (name && errors.length === 0) {
      if (seen.has(name)) errors.push(duplicate(`${place}.name`, name))
      seen.add(name)
    }
    if (!containerPort) errors.push(required(`${place}.containerPort`))
    else errors.push(...checkForm(`${place}.containerPort`, containerPort, names.portNumber))
    if (hostPort) errors.push(...checkForm(`${place}.hostPort`, hostPort, names.portNumber))
    return [...errors, ...checkWord(`${place}.protocol`, protocol, protocols)]
  })
}

/** One host port serves one container. */
function checkHostPorts(containers: readonly Container[], path: string): FieldError[] {
  const seen = new Set<string>()
  const errors: FieldError[] = []
  for (const [at, { ports }] of containers.entries())
    for (const [place, { protocol, hostIP, hostPort }] of (ports ?? []).entries()) {
      if (!hostPort) continue
      const key = `${protocol}/${hostIP ?? ''}/${hostPort}`
      if (seen.has(key)) errors.push(duplicate(`${path}[${at}].ports[${place}].hostPort`, key))
      seen.add(key)
    }
  return errors
}

/** What only a container that keeps running has. */
function checkRunning(container: Container, pod: PodView, path: string): FieldError[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container
  const errors: FieldError[] = []
  for (const hook of ['postStart', 'preStop'] as const)
    if (lifecycle?.[hook]) errors.push(...checkHandler(lifecycle[hook], `${path}.lifecycle.${hook}`, pod.graceSeconds))
  if (livenessProbe) errors.push(...checkProbe(livenessProbe, `${path}.livenessProbe`, true))
  if (readinessProbe) {
    errors.push(...checkProbe(readinessProbe, `${path}.readinessProbe`, false))
    const grace = readinessProbe.terminationGracePeriodSeconds
    if (grace !== undefined)
      errors.push(
        invalid(`${path}.readinessProbe.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'),
      )
  }
  if (startupProbe) errors.push(...checkProbe(startupProbe, `${path}.startupProbe`, true))
  return errors
}

function checkProbe(probe: Probe, path: string, succeedsOnce: boolean): FieldError[] {
  const errors = checkHandler(probe, path, undefined)
  const numbers = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const
  for (const field of numbers) errors.push(...checkNotNegative(`${path}.${field}`, probe[field]))
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0)
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  if (succeedsOnce && probe.successThreshold !== 1)
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1'))
  return errors
}

/** Exactly one way to ask or to tell a container something. */
function checkHandler(handler: Handler, path: string, graceSeconds: number | undefined): FieldError[] {
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((kind) => handler[kind])
  const [kind, ...others] = kinds
  if (kind === undefined) return [required(path, 'must specify a handler type')]
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler
  const errors: FieldError[] = []
  if (kind === 'exec' && !exec?.command?.length) errors.push(required(`${path}.exec.command`))
  if (kind === 'httpGet' && httpGet) errors.push(...checkHttpGet(httpGet, `${path}.httpGet`))
  if (kind === 'tcpSocket' && tcpSocket) errors.push(...checkPortReference(`${path}.tcpSocket.port`, tcpSocket.port))
  if (kind === 'grpc' && grpc) errors.push(...checkPortReference(`${path}.grpc.port`, grpc.port))
  if (kind === 'sleep' && sleep && graceSeconds !== undefined && (sleep.seconds < 0 || sleep.seconds > graceSeconds)) {
    const detail = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`
    errors.push(invalid(`${path}.sleep`, sleep.seconds, detail))
  }
  for (const other of others) errors.push(forbidden(`${path}.${other}`, 'may not specify more than 1 handler type'))
  return errors
}

function checkHttpGet({ path: url, port, scheme, httpHeaders }: HttpGet, path: string): FieldError[] {
  return [
    ...(url ? [] : [required(`${path}.path`)]),
    ...checkPortReference(`${path}.port`, port),
    ...checkOptionalWord(`${path}.scheme`, scheme ?? '', ['HTTP', 'HTTPS']),
    ...(httpHeaders ?? []).flatMap(({ name }) => checkForm(`${path}.httpHeaders`, name, names.httpHeaderName)),
  ]
}

function checkRestart({ restartPolicy, restartPolicyRules: rules = [] }: Container, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (restartPolicy === undefined) {
    if (rules.length > 0)
      errors.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'))
  } else errors.push(...checkOptionalWord(`${path}.restartPolicy`, restartPolicy, ['Always', 'Never', 'OnFailure']))
  if (rules.length > 20) errors.push(tooMany(`${path}.restartPolicyRules`, rules.length, 20))
  for (const [at, { action, exitCodes }] of rules.entries()) {
    const place = `${path}.restartPolicyRules[${at}]`
    errors.push(...checkOptionalWord(`${place}.action`, action, ['Restart']))
    if (exitCodes === undefined) errors.push(required(`${place}.exitCodes`, 'must be specified'))
    else errors.push(...checkOptionalWord(`${place}.exitCodes.operator`, exitCodes.operator, ['In', 'NotIn']))
  }
  return errors
}

/** As the server of Kubernetes prints it: its own fields by their names in Go. */
function goForm(security: SecurityContext): Record<string, unknown> {
  const { capabilities } = security
  return {
    Capabilities: capabilities ? { Add: capabilities.add ?? null, Drop: capabilities.drop ?? null } : null,
    Privileged: security.privileged ?? null,
    SELinuxOptions: security.seLinuxOptions ?? null,
    WindowsOptions: security.windowsOptions ?? null,
    RunAsUser: security.runAsUser ?? null,
    RunAsGroup: security.runAsGroup ?? null,
    RunAsNonRoot: security.runAsNonRoot ?? null,
    ReadOnlyRootFilesystem: security.readOnlyRootFilesystem ?? null,
    AllowPrivilegeEscalation: security.allowPrivilegeEscalation ?? null,
    ProcMount: security.procMount ?? null,
    SeccompProfile: security.seccompProfile ?? null,
  }
}

function checkSecurity(security: SecurityContext, path: string): FieldError[] {
  const { runAsUser, runAsGroup, procMount, allowPrivilegeEscalation, privileged, capabilities } = security
  const errors: FieldError[] = []
  if (runAsUser !== undefined) errors.push(...checkForm(`${path}.runAsUser`, runAsUser, names.userId))
  if (runAsGroup !== undefined) errors.push(...checkForm(`${path}.runAsGroup`, runAsGroup, names.groupId))
  errors.push(...checkOptionalWord(`${path}.procMount`, procMount, ['Default', 'Unmasked']))
  if (allowPrivilegeEscalation === false) {
    const but = 'cannot set `allowPrivilegeEscalation` to false and'
    if (privileged) errors.push(invalid(path, goForm(security), `${but} \`privileged\` to true`))
    if (capabilities?.add?.includes('CAP_SYS_ADMIN'))
      errors.push(invalid(path, goForm(security), `${but} \`capabilities.Add\` CAP_SYS_ADMIN`))
  }
  return errors
}
