// NetworkPolicies: defaults, and what they may say (Kubernetes' pkg/apis/networking).

import { checkCidr } from '#api/address.ts'
import { checkForm, checkOptionalWord } from '#api/check-field.ts'
import { type FieldError, forbidden, invalid, required } from '#api/field-error.ts'
import { checkLabelSelector } from '#api/labels.ts'
import * as names from '#api/names.ts'
import type { NetworkPolicy } from '#api/networking.ts'
import type { Typed } from '#api/schema/schema.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'

type Port = Typed<'networking', 'NetworkPolicyPort'>
type Peer = Typed<'networking', 'NetworkPolicyPeer'>
type IpBlock = Typed<'networking', 'IPBlock'>
type Spec = Typed<'networking', 'NetworkPolicySpec'>

export function defaultNetworkPolicy(policy: NetworkPolicy): NetworkPolicy {
  const spec: Spec = policy.spec ?? {}
  const implied = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']
  const withProtocol = (ports: readonly Port[] | undefined) =>
    ports ? { ports: ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })) } : {}
  return {
    ...policy,
    spec: {
      ...spec,
      podSelector: spec.podSelector ?? {},
      policyTypes: spec.policyTypes?.length ? spec.policyTypes : implied,
      ...(spec.ingress ? { ingress: spec.ingress.map((rule) => ({ ...rule, ...withProtocol(rule.ports) })) } : {}),
      ...(spec.egress ? { egress: spec.egress.map((rule) => ({ ...rule, ...withProtocol(rule.ports) })) } : {}),
    },
  }
}

export function validateNetworkPolicy(policy: NetworkPolicy, old: NetworkPolicy | undefined): FieldError[] {
  const spec: Spec = policy.spec ?? {}
  const known = old === undefined ? [] : cidrsOf(old)
  const rules = [
    ...(spec.ingress ?? []).map((rule, at) => ({ rule, peers: rule.from, path: `spec.ingress[${at}]`, end: 'from' })),
    ...(spec.egress ?? []).map((rule, at) => ({ rule, peers: rule.to, path: `spec.egress[${at}]`, end: 'to' })),
  ]
  const errors = [
    ...checkLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...rules.flatMap(({ rule, peers, path, end }) => [
      ...(rule.ports ?? []).flatMap((port, at) => checkPort(port, `${path}.ports[${at}]`)),
      ...(peers ?? []).flatMap((peer, at) => checkPeer(peer, `${path}.${end}[${at}]`, known)),
    ]),
  ]
  const types = spec.policyTypes ?? []
  if (types.length > 2)
    return [...errors, invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')]
  return [
    ...errors,
    ...types.flatMap((type, at) => checkOptionalWord(`spec.policyTypes[${at}]`, type, ['Ingress', 'Egress'])),
  ]
}

function cidrsOf({ spec }: NetworkPolicy): string[] {
  const peers = [
    ...(spec?.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(spec?.egress ?? []).flatMap(({ to }) => to ?? []),
  ]
  return peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : []))
}

function checkPort({ protocol, port, endPort }: Port, path: string): FieldError[] {
  const errors = checkOptionalWord(`${path}.protocol`, protocol, ['TCP', 'UDP', 'SCTP'])
  const end = `${path}.endPort`
  if (typeof port === 'number') {
    errors.push(...checkForm(`${path}.port`, port, names.portNumber))
    if (endPort !== undefined) {
      if (endPort < port) errors.push(invalid(end, port, 'must be greater than or equal to `port`'))
      errors.push(...checkForm(end, endPort, names.portNumber))
    }
    return errors
  }
  if (endPort !== undefined) {
    const why = port === undefined ? 'not specified' : 'non-numeric'
    errors.push(invalid(end, endPort, `may not be specified when \`port\` is ${why}`))
  }
  return port === undefined ? errors : [...errors, ...checkForm(`${path}.port`, port, names.portName)]
}

function checkPeer(
  { podSelector, namespaceSelector, ipBlock }: Peer,
  path: string,
  known: readonly string[],
): FieldError[] {
  const errors = [
    ...checkLabelSelector(podSelector, `${path}.podSelector`),
    ...checkLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? checkIpBlock(ipBlock, `${path}.ipBlock`, known) : []),
  ]
  if (!podSelector && !namespaceSelector && !ipBlock) return [...errors, required(path, 'must specify a peer')]
  if (ipBlock && (podSelector || namespaceSelector))
    return [...errors, forbidden(path, 'may not specify both ipBlock and another peer')]
  return errors
}

function checkIpBlock({ cidr, except = [] }: IpBlock, path: string, known: readonly string[]): FieldError[] {
  if (!cidr) return [required(`${path}.cidr`)]
  const errors = checkCidr(`${path}.cidr`, cidr, known)
  const block = parseCidr(cidr)
  if (block === undefined) return errors
  for (const [at, text] of except.entries()) {
    const place = `${path}.except[${at}]`
    errors.push(...checkCidr(place, text, known))
    const hole = parseCidr(text)
    if (hole !== undefined && (!containsIp(block, hole.base) || block.prefix >= hole.prefix))
      errors.push(invalid(place, text, 'must be a strict subset of `cidr`'))
  }
  return errors
}
