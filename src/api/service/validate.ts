// What a Service may say (Kubernetes' pkg/apis/core/validation, release 1.36). Errors come in upstream's order and words,
// since both show in what kubectl prints. Everything that compares with the stored Service is in validate-update.ts.

import type { Service, ServicePort, ServiceSpec } from '#api/core.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import * as names from '#api/names.ts'
import { checkCidr, checkEndpointIp, checkIp } from '#api/address.ts'
import { checkLabels } from '#api/labels.ts'
import { validateClusterIps } from '#api/service/validate-cluster-ips.ts'
import * as traits from '#api/service/traits.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const protocols = ['SCTP', 'TCP', 'UDP']
const topologyHints = 'service.kubernetes.io/topology-aware-hints'
const topologyMode = 'service.kubernetes.io/topology-mode'
const sourceRanges = 'service.beta.kubernetes.io/load-balancer-source-ranges'

/** Problems of a Service after defaulting and allocation; `old` is what is stored, for values that were allowed before. */
export function validateService(service: Service, old: Service | undefined): FieldError[] {
  const spec = traits.specOf(service)
  return [
    ...checkTopology(service),
    ...checkType(spec),
    ...checkPorts(spec),
    ...(spec.selector ? checkLabels(spec.selector, 'spec.selector') : []),
    ...checkAffinity(spec),
    ...validateClusterIps(service, old),
    ...checkExternalIps(spec, old),
    ...(types.includes(spec.type ?? '') ? [] : checkTypeName(spec.type)),
    ...checkNodePorts(spec),
    ...checkPortPairs(spec),
    ...checkSourceRanges(service, old),
    ...checkLoadBalancerFields(spec),
    ...checkExternalTraffic(spec),
    ...checkTraffic(spec),
  ]
}

function checkTopology(service: Service): FieldError[] {
  const { [topologyMode]: mode, [topologyHints]: hints } = service.metadata?.annotations ?? {}
  if (mode === undefined || hints === undefined || mode === hints) return []
  const detail = `must match annotations[${topologyHints}] when both are specified`
  return [invalid(`metadata.annotations[${topologyMode}]`, mode, detail)]
}

function checkTypeName(type: string | undefined): FieldError[] {
  return [type ? notSupported('spec.type', type, types) : required('spec.type')]
}

/** What each type demands and excludes. */
function checkType(spec: ServiceSpec): FieldError[] {
  const isHeadless = traits.isHeadless(spec)
  const errors: FieldError[] = []
  if (!spec.ports?.length && !isHeadless && spec.type !== 'ExternalName') errors.push(required('spec.ports'))
  if (isHeadless && traits.hasNodePorts(spec))
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`))
  if (spec.type !== 'ExternalName') return errors
  const isForeign = 'may not be set for ExternalName services'
  if (spec.clusterIPs?.length) errors.push(forbidden('spec.clusterIPs', isForeign))
  if (spec.ipFamilies?.length) errors.push(forbidden('spec.ipFamilies', isForeign))
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbidden('spec.ipFamilyPolicy', isForeign))
  // A trailing dot says that the name is complete.
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') errors.push(required('spec.externalName'))
  else for (const detail of names.dns1123Subdomain(name)) errors.push(invalid('spec.externalName', name, detail))
  return errors
}

function checkPorts(spec: ServiceSpec): FieldError[] {
  const ports = spec.ports ?? []
  const seen = new Set<string>()
  return ports.flatMap((port, at) => checkPort(port, `spec.ports[${at}]`, ports.length > 1, seen))
}

function checkPort(port: ServicePort, path: string, needsName: boolean, seen: Set<string>): FieldError[] {
  const errors: FieldError[] = []
  if (port.name) {
    for (const detail of names.dns1123Label(port.name)) errors.push(invalid(`${path}.name`, port.name, detail))
    if (seen.has(port.name)) errors.push(duplicate(`${path}.name`, port.name))
    seen.add(port.name)
  } else if (needsName) errors.push(required(`${path}.name`))
  for (const detail of names.portNumber(port.port ?? 0)) errors.push(invalid(`${path}.port`, port.port ?? 0, detail))
  if (!port.protocol) errors.push(required(`${path}.protocol`))
  else if (!protocols.includes(port.protocol)) errors.push(notSupported(`${path}.protocol`, port.protocol, protocols))
  const target = port.targetPort ?? 0
  const wrong = typeof target === 'number' ? names.portNumber(target) : names.portName(target)
  for (const detail of wrong) errors.push(invalid(`${path}.targetPort`, target, detail))
  if (port.appProtocol !== undefined)
    for (const detail of names.qualifiedName(port.appProtocol))
      errors.push(invalid(`${path}.appProtocol`, port.appProtocol, detail))
  return errors
}

function checkAffinity(spec: ServiceSpec): FieldError[] {
  const { sessionAffinity: affinity, sessionAffinityConfig: config } = spec
  const path = 'spec.sessionAffinityConfig'
  if (!affinity) return [required('spec.sessionAffinity')]
  if (affinity === 'None')
    return config === undefined ? [] : [forbidden(path, 'must not be set when session affinity is None')]
  if (affinity !== 'ClientIP') return [notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None'])]
  const why = 'when session affinity type is ClientIP'
  if (config === undefined) return [required(path, why)]
  if (config.clientIP === undefined) return [required(`${path}.clientIP`, why)]
  const seconds = config.clientIP.timeoutSeconds
  if (seconds === undefined) return [required(`${path}.clientIP.timeoutSeconds`, why)]
  if (seconds > 0 && seconds <= 86400) return []
  return [invalid(`${path}.clientIP.timeoutSeconds`, seconds, 'must be greater than 0 and less than 86400')]
}

function checkExternalIps(spec: ServiceSpec, old: Service | undefined): FieldError[] {
  return (spec.externalIPs ?? []).flatMap((ip, at) => {
    const path = `spec.externalIPs[${at}]`
    const malformed = checkIp(path, ip, old?.spec?.externalIPs)
    return malformed.length > 0 ? malformed : checkEndpointIp(path, ip)
  })
}

function checkNodePorts(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  const ports = [...(spec.ports ?? []).entries()].filter(([, port]) => port.nodePort)
  if (spec.type === 'ClusterIP')
    for (const [at] of ports)
      errors.push(forbidden(`spec.ports[${at}].nodePort`, "may not be used when `type` is 'ClusterIP'"))
  const seen = new Set<string>()
  for (const [at, { protocol, nodePort }] of ports) {
    const pair = `${protocol} ${nodePort}`
    if (seen.has(pair)) errors.push(duplicate(`spec.ports[${at}].nodePort`, nodePort))
    seen.add(pair)
  }
  return errors
}

/** No two ports with the same number and protocol. Upstream shows the whole key as a struct. */
function checkPortPairs(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [at, { protocol = '', port = 0 }] of (spec.ports ?? []).entries()) {
    const pair = `${protocol} ${port}`
    const shown = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 }
    if (seen.has(pair)) errors.push(duplicate(`spec.ports[${at}]`, shown))
    seen.add(pair)
  }
  return errors
}

/** The sources a load balancer admits: a field, or the annotation that came before it. Spaces around are allowed. */
function checkSourceRanges(service: Service, old: Service | undefined): FieldError[] {
  const spec = traits.specOf(service)
  const isForeign = spec.type !== 'LoadBalancer'
  if (spec.loadBalancerSourceRanges?.length) {
    const path = 'spec.LoadBalancerSourceRanges'
    const known = old?.spec?.loadBalancerSourceRanges?.map((range) => range.trim())
    return [
      ...(isForeign ? [forbidden(path, "may only be used when `type` is 'LoadBalancer'")] : []),
      ...spec.loadBalancerSourceRanges.flatMap((range, at) => checkCidr(`${path}[${at}]`, range.trim(), known)),
    ]
  }
  const text = service.metadata?.annotations?.[sourceRanges]
  if (text === undefined) return []
  const path = `metadata.annotations[${sourceRanges}]`
  const errors = isForeign ? [forbidden(path, "may only be used when `type` is 'LoadBalancer'")] : []
  if (old?.metadata?.annotations?.[sourceRanges] === text || text.trim() === '') return errors
  return [...errors, ...text.split(',').flatMap((range) => checkCidr(path, range.trim(), undefined))]
}

function checkLoadBalancerFields(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  const isLoadBalancer = spec.type === 'LoadBalancer'
  const onlyThere = "may only be used when `type` is 'LoadBalancer'"
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer)
    errors.push(forbidden('spec.allocateLoadBalancerNodePorts', onlyThere))
  if (spec.allocateLoadBalancerNodePorts === undefined && isLoadBalancer)
    errors.push(required('allocateLoadBalancerNodePorts'))
  return [...errors, ...checkLoadBalancerClass(spec)]
}

export function checkLoadBalancerClass(spec: ServiceSpec): FieldError[] {
  const name = spec.loadBalancerClass
  const path = 'spec.loadBalancerClass'
  if (name === undefined) return []
  if (spec.type !== 'LoadBalancer') return [forbidden(path, "may only be used when `type` is 'LoadBalancer'")]
  return names.qualifiedName(name).map((detail) => invalid(path, name, detail))
}

function checkExternalTraffic(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  const policy = spec.externalTrafficPolicy
  const path = 'spec.externalTrafficPolicy'
  if (!traits.isExternallyAccessible(spec)) {
    if (policy) errors.push(invalid(path, policy, 'may only be set for externally-accessible services'))
  } else if (!policy) errors.push(required(path))
  else if (!['Cluster', 'Local'].includes(policy)) errors.push(notSupported(path, policy, ['Cluster', 'Local']))

  const port = spec.healthCheckNodePort ?? 0
  const portPath = 'spec.healthCheckNodePort'
  if (traits.needsHealthCheckPort(spec)) {
    if (port === 0) errors.push(required(portPath))
    else for (const detail of names.portNumber(port)) errors.push(invalid(portPath, port, detail))
  } else if (port !== 0) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    errors.push(invalid(portPath, port, detail))
  }
  return errors
}

const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']

function checkTraffic(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  const { internalTrafficPolicy: policy, trafficDistribution: distribution } = spec
  if (policy === undefined) {
    if (traits.hasNodePorts(spec) || spec.type === 'ClusterIP') errors.push(required('spec.internalTrafficPolicy'))
  } else if (!['Cluster', 'Local'].includes(policy))
    errors.push(notSupported('spec.internalTrafficPolicy', policy, ['Cluster', 'Local']))
  if (distribution !== undefined && !distributions.includes(distribution))
    errors.push(notSupported('spec.trafficDistribution', distribution, distributions))
  return errors
}
