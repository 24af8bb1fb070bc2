// The subresource `token` of a service account: a new token for it, for some audience, a time, and as long as a pod is
// there (registry/core/serviceaccount/storage/token.go).

import { nodes, pods, secrets, type ServiceAccount } from '#api/core.ts'
import { invalid, type FieldError } from '#api/field-error.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'
import { badRequest, conflict, notFound } from '#api/status.ts'
import { formatTime } from '#api/time.ts'
import { claimsOf, type ServiceAccountToken } from '#pki/service-account-token.ts'
import type { Refused, Subresource, SubresourceRequest } from '#apiserver/kind.ts'

export type TokenIssuer = {
  readonly issuer: string
  /** for tokens that name none */
  readonly audiences: readonly string[]
  uuid(): string
  sign(claims: Readonly<Record<string, unknown>>): string
}

type TokenRequest = ApiObject & Typed<'authentication', 'TokenRequest'>
type Bound = Pick<ServiceAccountToken, 'pod' | 'node'>

const leastSeconds = 600
const usualSeconds = 3600

export function tokenSubresource(issuer: TokenIssuer): Subresource<ServiceAccount> {
  return {
    verbs: ['create'],
    kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', type: 'authentication.TokenRequest' },
    async handle(request) {
      const { object, body, context } = request
      const asked = body as TokenRequest | undefined
      const { audiences = [], expirationSeconds = usualSeconds, boundObjectRef } = asked?.spec ?? {}
      const errors = checkSeconds(expirationSeconds)
      if (errors.length > 0) return { kind: 'invalid', errors }
      const bound = boundObjectRef === undefined ? {} : await boundTo(request, boundObjectRef)
      if ('kind' in bound) return bound
      const { name = '', namespace = '', uid = '' } = object.metadata ?? {}
      const expiresAtMs = context.nowMs + expirationSeconds * 1000
      const forWhom = audiences.length > 0 ? audiences : issuer.audiences
      const claims = claimsOf({
        issuer: issuer.issuer,
        audiences: forWhom,
        namespace,
        serviceAccount: { name, uid },
        ...bound,
        issuedAtMs: context.nowMs,
        expiresAtMs,
        id: issuer.uuid(),
      })
      const answer = {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name, namespace, uid, creationTimestamp: formatTime(context.nowMs) },
        spec: { ...asked?.spec, audiences: forWhom, expirationSeconds },
        status: { token: issuer.sign(claims), expirationTimestamp: formatTime(expiresAtMs) },
      }
      return { kind: 'object', object: answer as ApiObject, code: 201 }
    },
  }
}

function checkSeconds(seconds: number): FieldError[] {
  const path = 'spec.expirationSeconds'
  if (seconds < leastSeconds) return [invalid(path, seconds, 'may not specify a duration less than 10 minutes')]
  if (seconds > 2 ** 32) return [invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')]
  return []
}

type Reference = NonNullable<Typed<'authentication', 'TokenRequestSpec'>['boundObjectRef']>
const bindable: Readonly<Record<string, Resource<ApiObject>>> = { Pod: pods, Node: nodes, Secret: secrets }

async function boundTo(
  { context, object }: SubresourceRequest<ServiceAccount>,
  { kind = '', apiVersion = '', name = '', uid = '' }: Reference,
): Promise<Bound | Refused> {
  const refuse = (status: ReturnType<typeof badRequest>): Refused => ({ kind: 'status', status })
  const resource = bindable[kind]
  if (resource === undefined || apiVersion.includes('/'))
    return refuse(badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`))
  const found = await context.objects.get(resource, resource.namespaced ? context.namespace : '', name)
  if (found === undefined) return refuse(notFound(resource, name))
  const { uid: foundUid = '' } = found.metadata ?? {}
  if (uid !== '' && uid !== foundUid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
    return refuse(conflict({ group: '', plural: kind }, name, why))
  }
  if (kind === 'Node') return { node: { name, uid: foundUid } }
  if (kind !== 'Pod') return {}
  const { spec } = found as ApiObject & { spec?: { serviceAccountName?: string; nodeName?: string } }
  const account = object.metadata?.name ?? ''
  if (spec?.serviceAccountName !== account)
    return refuse(
      badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
      ),
    )
  const node = spec.nodeName ? await context.objects.get(nodes, '', spec.nodeName) : undefined
  const pod = { name, uid: foundUid }
  return node?.metadata?.uid === undefined ? { pod } : { pod, node: { name: spec.nodeName!, uid: node.metadata.uid } }
}
