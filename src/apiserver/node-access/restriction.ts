// What a node may not do although its role lets nodes do it: to other nodes, to pods of others, and to itself what would
// let it take pods that are not meant for it (plugin/pkg/admission/noderestriction).

import { nodes, type Node, type PersistentVolumeClaim, type Pod, pods } from '#api/core.ts'
import { quote } from '#api/go-text.ts'
import type { ApiObject, Status } from '#api/meta.ts'
import { apiReference } from '#api/pod/references.ts'
import type { Typed } from '#api/schema/schema.ts'
import { forbidden, notFound } from '#api/status.ts'
import type { Guard, GuardRequest } from '#apiserver/engine/guard.ts'
import type { Objects } from '#apiserver/kind.ts'
import { nodeOf } from '#apiserver/node-access/identity.ts'
import { equalJson } from '#lib/equal.ts'

type TokenRequest = ApiObject & Typed<'authentication', 'TokenRequest'>
/** Why not, or the Status to answer; undefined: go on. */
type Verdict = string | Status | undefined

const mirrorAnnotation = 'kubernetes.io/config.mirror'

/** `commonNameOf`: of a certificate request, undefined where it cannot be read. */
export function nodeRestriction(objects: Objects, commonNameOf: (request: string) => string | undefined): Guard {
  return async (request) => {
    const node = nodeOf(request.user)
    if (node === undefined) return undefined
    const verdict =
      node === ''
        ? `could not determine node from user ${quote(request.user.name)}`
        : await judge(node, request, objects, commonNameOf)
    if (verdict === undefined || typeof verdict !== 'string') return verdict
    return forbidden(request.served, request.name, verdict)
  }
}

async function judge(
  node: string,
  request: GuardRequest,
  objects: Objects,
  commonNameOf: (request: string) => string | undefined,
): Promise<Verdict> {
  const { served, subresource, operation } = request
  switch (served.group === '' ? served.plural : `${served.plural}.${served.group}`) {
    case 'pods':
      return judgePod(node, request, objects)
    case 'nodes':
      return judgeNode(node, request)
    case 'persistentvolumeclaims':
      return subresource === 'status' ? judgeClaim(node, request) : 'may only update PVC status'
    case 'serviceaccounts':
      return operation === 'create' && subresource === 'token' ? judgeToken(node, request, objects) : undefined
    case 'leases.coordination.k8s.io':
      if (request.namespace !== 'kube-node-lease')
        return 'can only access leases in the "kube-node-lease" system namespace'
      return isOwn(node, request) ? undefined : 'can only access node lease with the same name as the requesting node'
    case 'csinodes.storage.k8s.io':
      return isOwn(node, request) ? undefined : 'can only access CSINode with the same name as the requesting node'
    case 'certificatesigningrequests.certificates.k8s.io':
      return operation === 'create' ? judgeCertificate(node, request, commonNameOf) : undefined
    default:
      return undefined
  }
}

const isOwn = (node: string, { operation, object, name }: GuardRequest) =>
  (operation === 'create' ? object?.metadata?.name : name) === node

async function judgePod(node: string, request: GuardRequest, objects: Objects): Promise<Verdict> {
  const { operation, subresource, old } = request
  const boundTo = (old as Pod | undefined)?.spec?.nodeName
  switch (subresource) {
    case '':
      if (operation === 'create') return judgeNewPod(node, request.object as Pod, objects)
      if (operation === 'delete')
        return boundTo === node
          ? undefined
          : `node ${quote(node)} can only delete pods with spec.nodeName set to itself`
      return `unexpected operation "UPDATE", node ${quote(node)} can only create and delete mirror pods`
    case 'status':
      if (boundTo !== node)
        return `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`
      return equalJson(old?.metadata?.labels ?? {}, request.object?.metadata?.labels ?? {})
        ? undefined
        : `node ${quote(node)} cannot update labels through pod status`
    case 'eviction':
      return boundTo === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`
    default:
      return `unexpected pod subresource ${quote(subresource)}, only 'status' and 'eviction' are allowed`
  }
}

async function judgeNewPod(node: string, { metadata, spec, ...pod }: Pod, objects: Objects): Promise<Verdict> {
  const who = `node ${quote(node)}`
  if (metadata?.annotations?.[mirrorAnnotation] === undefined)
    return `pod does not have ${quote(mirrorAnnotation)} annotation, ${who} can only create mirror pods`
  if (spec?.nodeName !== node) return `${who} can only create pods with spec.nodeName set to itself`
  const owners = metadata.ownerReferences ?? []
  if (owners.length > 1) return `${who} can only create pods with a single owner reference set to itself`
  const [owner] = owners
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${who} can only create pods with an owner reference set to itself`
  if (owner.controller !== true) return `${who} can only create pods with a controller owner reference set to itself`
  if (owner.blockOwnerDeletion === true) return `${who} must not set blockOwnerDeletion on an owner reference`
  const own = await objects.get(nodes, '', node)
  if (own === undefined) return notFound(nodes, node)
  const { uid = '' } = own.metadata ?? {}
  if (owner.uid !== uid) return `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`
  const reference = apiReference({ ...pod, metadata, spec })
  return reference === undefined ? undefined : `${who} can not create pods that reference ${reference}`
}

function judgeNode(node: string, request: GuardRequest): Verdict {
  const { operation, name, object, old } = request
  const asked = operation === 'create' ? (object?.metadata?.name ?? '') : name
  if (asked !== node) return `node ${quote(node)} is not allowed to modify node ${quote(asked)}`
  if (operation === 'delete') return undefined
  const wanted = object as Node
  const before = (old as Node | undefined) ?? {}
  if (operation === 'create') {
    const wrong = forbiddenLabels(changedKeys(wanted.metadata?.labels, {}))
    if (wanted.spec?.configSource !== undefined)
      return `node ${quote(node)} is not allowed to create pods with a non-nil configSource`
    return wrong.length === 0
      ? undefined
      : `node ${quote(node)} is not allowed to set the following labels: ${wrong.join(', ')}`
  }
  const { configSource, taints } = wanted.spec ?? {}
  if (configSource !== undefined && !equalJson(configSource, before.spec?.configSource))
    return `node ${quote(node)} is not allowed to update configSource to a new non-nil configSource`
  if (!equalJson(taints, before.spec?.taints)) return `node ${quote(node)} is not allowed to modify taints`
  if (!equalJson(wanted.metadata?.ownerReferences, before.metadata?.ownerReferences))
    return `node ${quote(node)} is not allowed to modify ownerReferences`
  const wrong = forbiddenLabels(changedKeys(wanted.metadata?.labels, before.metadata?.labels))
  return wrong.length === 0 ? undefined : `is not allowed to modify labels: ${wrong.join(', ')}`
}

type Labels = Readonly<Record<string, string>>

const changedKeys = (now: Labels = {}, then: Labels = {}): string[] =>
  [...new Set([...Object.keys(now), ...Object.keys(then)])].filter((key) => now[key] !== then[key])

const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
])

const isBelow = (domain: string, parents: readonly string[]) =>
  parents.some((parent) => domain === parent || domain.endsWith(`.${parent}`))

function forbiddenLabels(keys: readonly string[]): string[] {
  return keys
    .filter((key) => {
      const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
      if (isBelow(domain, ['node-restriction.kubernetes.io'])) return true
      if (!isBelow(domain, ['kubernetes.io', 'k8s.io'])) return false
      return !ownLabels.has(key) && !isBelow(domain, ['kubelet.kubernetes.io', 'node.kubernetes.io'])
    })
    .sort()
}

/** Of a claim a node tells how large its volume is, and nothing else. */
function judgeClaim(node: string, { object, old }: GuardRequest): Verdict {
  const kept = (claim: PersistentVolumeClaim) => {
    const {
      capacity: _c,
      conditions: _o,
      allocatedResources: _a,
      allocatedResourceStatuses: _s,
      ...status
    } = claim.status ?? {}
    const { resourceVersion: _r, managedFields: _m, ...metadata } = claim.metadata ?? {}
    return { ...claim, metadata, status }
  }
  return equalJson(kept(object as PersistentVolumeClaim), kept(old as PersistentVolumeClaim))
    ? undefined
    : `node ${quote(node)} is not allowed to update fields other than status.quantity and status.conditions`
}

async function judgeToken(node: string, request: GuardRequest, objects: Objects): Promise<Verdict> {
  const { spec } = (request.object ?? {}) as Partial<TokenRequest>
  const { apiVersion, kind, name = '', uid = '' } = spec?.boundObjectRef ?? {}
  if (apiVersion !== 'v1' || kind !== 'Pod' || name === '') return 'node requested token not bound to a pod'
  if (uid === '') return 'node requested token with a pod binding without a uid'
  const pod = await objects.get(pods, request.namespace, name)
  if (pod === undefined) return notFound(pods, name)
  if (pod.metadata?.uid !== uid)
    return `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
  if (pod.spec?.nodeName !== node) return 'node requested token bound to a pod scheduled on a different node'
  const audiences = spec?.audiences ?? []
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences'
  const [audience = ''] = audiences
  const isNamed = (pod.spec.volumes ?? []).some(({ projected }) =>
    projected?.sources?.some(({ serviceAccountToken: token }) => token && (token.audience ?? '') === audience),
  )
  return isNamed
    ? undefined
    : `audience ${quote(audience)} not found in pod spec volume, ${request.user.name} is not authorized to request tokens for this audience`
}

type CertificateRequest = ApiObject & { readonly spec?: { readonly signerName?: string; readonly request?: string } }

const nodeSigners = ['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet']

function judgeCertificate(
  node: string,
  { object }: GuardRequest,
  commonNameOf: (request: string) => string | undefined,
): Verdict {
  const { signerName = '', request = '' } = (object as CertificateRequest).spec ?? {}
  if (!nodeSigners.includes(signerName)) return undefined
  return commonNameOf(request) === `system:node:${node}`
    ? undefined
    : `can only create a node CSR with CN=system:node:${node}`
}
