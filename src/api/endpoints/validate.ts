// What Endpoints and EndpointSlices may say. Both keep what they hold: endpoints that were stored before a rule came are
// still allowed in an update that does not touch them.

import { checkCanonicalIp, checkEndpointIp, checkIp } from '#api/address.ts'
import type { EndpointAddress, Endpoints, EndpointSubset } from '#api/core.ts'
import type { Endpoint, EndpointHints, EndpointPort, EndpointSlice } from '#api/discovery.ts'
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from '#api/field-error.ts'
import { checkLabels } from '#api/labels.ts'
import * as names from '#api/names.ts'
import { equalJson } from '#lib/equal.ts'

const protocols = ['SCTP', 'TCP', 'UDP']

export function validateEndpoints(endpoints: Endpoints, old: Endpoints | undefined): FieldError[] {
  const errors = (endpoints.subsets ?? []).flatMap((subset, at) => checkSubset(subset, `subsets[${at}]`))
  return errors.length > 0 && old && equalJson(old.subsets, endpoints.subsets) ? [] : errors
}

function checkSubset(subset: EndpointSubset, path: string): FieldError[] {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset
  const isEmpty = addresses.length === 0 && notReadyAddresses.length === 0
  return [
    ...(isEmpty ? [required(path, 'must specify `addresses` or `notReadyAddresses`')] : []),
    ...addresses.flatMap((address, at) => checkAddress(address, `${path}.addresses[${at}]`)),
    ...notReadyAddresses.flatMap((address, at) => checkAddress(address, `${path}.notReadyAddresses[${at}]`)),
    ...ports.flatMap((port, at) => checkPort(port, `${path}.ports[${at}]`, ports.length > 1)),
  ]
}

function checkAddress({ ip, hostname, nodeName }: EndpointAddress, path: string): FieldError[] {
  return [
    ...checkIp(`${path}.ip`, ip ?? '', undefined),
    ...(hostname ? names.dns1123Label(hostname).map((detail) => invalid(`${path}.hostname`, hostname, detail)) : []),
    ...checkNodeName(nodeName, path),
    ...checkEndpointIp(`${path}.ip`, ip ?? ''),
  ]
}

function checkPort(port: NonNullable<EndpointSubset['ports']>[number], path: string, needsName: boolean): FieldError[] {
  const errors: FieldError[] = []
  if (port.name)
    errors.push(...names.dns1123Label(port.name).map((detail) => invalid(`${path}.name`, port.name, detail)))
  else if (needsName) errors.push(required(`${path}.name`))
  errors.push(...names.portNumber(port.port ?? 0).map((detail) => invalid(`${path}.port`, port.port ?? 0, detail)))
  if (!port.protocol) errors.push(required(`${path}.protocol`))
  else if (!protocols.includes(port.protocol)) errors.push(notSupported(`${path}.protocol`, port.protocol, protocols))
  return [...errors, ...checkAppProtocol(port.appProtocol, path)]
}

export function validateEndpointSlice(slice: EndpointSlice, old: EndpointSlice | undefined): FieldError[] {
  const { addressType = '', endpoints = [], ports = [] } = slice
  const errors: FieldError[] = []
  if (addressType === '') errors.push(required('addressType'))
  else if (!['FQDN', 'IPv4', 'IPv6'].includes(addressType))
    errors.push(notSupported('addressType', addressType, ['FQDN', 'IPv4', 'IPv6']))
  errors.push(...checkSlicePorts(ports))
  const wrong = checkSliceEndpoints(endpoints, addressType)
  if (wrong.length > 0 && !(old && equalJson(old.endpoints, slice.endpoints))) errors.push(...wrong)
  if (old !== undefined && old.addressType !== addressType)
    errors.push(invalid('addressType', addressType, 'field is immutable'))
  return errors
}

function checkSlicePorts(ports: readonly EndpointPort[]): FieldError[] {
  if (ports.length > 20000) return [tooMany('ports', ports.length, 20000)]
  const seen = new Set<string>()
  return ports.flatMap(({ name = '', protocol, appProtocol }, at) => {
    const path = `ports[${at}]`
    const errors = name === '' ? [] : names.dns1123Label(name).map((detail) => invalid(`${path}.name`, name, detail))
    if (seen.has(name)) errors.push(duplicate(`${path}.name`, name))
    seen.add(name)
    if (protocol === undefined) errors.push(required(`${path}.protocol`))
    else if (!protocols.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, protocols))
    return [...errors, ...checkAppProtocol(appProtocol, path)]
  })
}

function checkSliceEndpoints(endpoints: readonly Endpoint[], addressType: string): FieldError[] {
  if (endpoints.length > 1000) return [tooMany('endpoints', endpoints.length, 1000)]
  return endpoints.flatMap((endpoint, at) => checkEndpoint(endpoint, addressType, `endpoints[${at}]`))
}

function checkEndpoint(endpoint: Endpoint, addressType: string, path: string): FieldError[] {
  const { addresses = [], nodeName, hostname, hints, deprecatedTopology } = endpoint
  const errors: FieldError[] = []
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'))
  if (addresses.length > 100) errors.push(tooMany(`${path}.addresses`, addresses.length, 100))
  for (const [at, address] of addresses.entries())
    errors.push(...checkSliceAddress(address, addressType, `${path}.addresses`, at))
  errors.push(...checkNodeName(nodeName, path))
  const topology = Object.keys(deprecatedTopology ?? {}).length
  if (topology > 16) errors.push(tooMany(`${path}.deprecatedTopology`, topology, 16))
  errors.push(...checkLabels(deprecatedTopology, `${path}.deprecatedTopology`))
  if (hostname !== undefined)
    errors.push(...names.dns1123Label(hostname).map((detail) => invalid(`${path}.hostname`, hostname, detail)))
  return hints === undefined ? errors : [...errors, ...checkHints(hints, `${path}.hints`)]
}

function checkSliceAddress(address: string, type: string, listPath: string, at: number): FieldError[] {
  const path = `${listPath}[${at}]`
  if (type === 'FQDN') return checkDomain(address, path)
  if (type !== 'IPv4' && type !== 'IPv6') return []
  const malformed = type === 'IPv4' ? checkIp(path, address, undefined) : checkCanonicalIp(path, address)
  if (malformed.length > 0) return malformed
  const isOther = address.includes(':') !== (type === 'IPv6')
  return [
    ...(isOther ? [invalid(listPath, address, `must be an ${type} address`)] : []),
    ...checkEndpointIp(path, address),
  ]
}

function checkDomain(given: string, path: string): FieldError[] {
  if (given === '') return [required(path)]
  const name = given.replace(/\.$/, '')
  const wrong = names.dns1123Subdomain(name)
  if (wrong.length > 0) return [invalid(path, name, wrong.join(','))]
  const labels = name.split('.')
  if (labels.length < 2) return [invalid(path, name, 'should be a domain with at least two segments separated by dots')]
  const long = labels.find((label) => names.dns1123Label(label).length > 0)
  return long === undefined ? [] : [invalid(path, long, names.dns1123Label(long).join(','))]
}

function checkHints({ forZones = [], forNodes = [] }: EndpointHints, path: string): FieldError[] {
  if (forZones.length > 8) return [tooMany(`${path}.forZones`, forZones.length, 8)]
  const errors = checkHintNames(forZones, `${path}.forZones`, names.labelValue)
  if (forNodes.length > 8) return [...errors, tooMany(`${path}.forNodes`, forNodes.length, 8)]
  return [...errors, ...checkHintNames(forNodes, `${path}.forNodes`, names.dns1123Subdomain)]
}

function checkHintNames(
  hints: readonly { readonly name: string }[],
  path: string,
  check: (name: string) => string[],
): FieldError[] {
  const seen = new Set<string>()
  return hints.flatMap(({ name }, at) => {
    const errors = seen.has(name) ? [duplicate(`${path}[${at}].name`, name)] : []
    seen.add(name)
    return [...errors, ...check(name).map((detail) => invalid(`${path}[${at}].name`, name, detail))]
  })
}

function checkNodeName(name: string | undefined, path: string): FieldError[] {
  if (name === undefined) return []
  return names.dns1123Subdomain(name).map((detail) => invalid(`${path}.nodeName`, name, detail))
}

function checkAppProtocol(name: string | undefined, path: string): FieldError[] {
  if (name === undefined) return []
  return names.qualifiedName(name).map((detail) => invalid(`${path}.appProtocol`, name, detail))
}
