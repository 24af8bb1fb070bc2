// Which requests for certificates are approved and signed without a person: a node's own (pkg/controller/certificates).

import type { Node } from '#api/core.ts'
import { signers, type CertificateSigningRequest, type CertificateSigningRequestCondition } from '#api/certificates.ts'
import type { Stored } from '#api/stored.ts'

export type Csr = Stored<CertificateSigningRequest>

/** What a request (PKCS #10) asks for. */
export type Asked = {
  readonly subject: { readonly commonName: string; readonly organizations: readonly string[] }
  readonly dnsNames: readonly string[]
  readonly ips: readonly string[]
  readonly otherNames: number
}

/** Permissions of Kubernetes' that let someone have such a certificate without being asked. */
export type Recognized = 'nodeclient' | 'selfnodeclient' | 'nodeserver'

const hasUsages = ({ spec }: Csr, needed: string): boolean => {
  const wanted = new Set(spec?.usages)
  const allowed = new Set(['digital signature', 'key encipherment', needed])
  return wanted.has(needed) && wanted.has('digital signature') && [...wanted].every((usage) => allowed.has(usage))
}
const isNodeName = ({ subject: { commonName, organizations } }: Asked) =>
  commonName.startsWith('system:node:') && organizations.length === 1 && organizations[0] === 'system:nodes'

/** Undefined: a person has to look at it. `node`: the one that the request is of, if it is there. */
export function recognize(csr: Csr, asked: Asked, node: Node | undefined): Recognized | undefined {
  const isOwn = csr.spec?.username === asked.subject.commonName
  if (!isWellFormed(csr, asked)) return undefined
  if (csr.spec?.signerName === signers.node) return isOwn ? 'selfnodeclient' : 'nodeclient'
  if (csr.spec?.signerName === signers.nodeServing && isOwn && node && isOfNode(asked, node)) return 'nodeserver'
  return undefined
}

/** A node may have a certificate for what the cluster knows it by. */
function isOfNode({ dnsNames, ips }: Asked, node: Node): boolean {
  const known = new Set(node.status?.addresses?.map(({ address }) => address))
  return [...dnsNames, ...ips].every((name) => known.has(name))
}

/** Whether a signer may sign it, whoever approved. */
export function isWellFormed(csr: Csr, asked: Asked): boolean {
  const names = asked.dnsNames.length + asked.ips.length + asked.otherNames
  switch (csr.spec?.signerName) {
    case signers.node:
      return isNodeName(asked) && names === 0 && hasUsages(csr, 'client auth')
    case signers.nodeServing:
      return isNodeName(asked) && names > 0 && asked.otherNames === 0 && hasUsages(csr, 'server auth')
    case signers.client:
      return hasUsages(csr, 'client auth')
    default:
      return false
  }
}

export const isOurs = ({ spec }: Csr): boolean => Object.values<string | undefined>(signers).includes(spec?.signerName)

export type Stage = 'new' | 'approved' | 'done'

export function stageOf({ status }: Csr): Stage {
  const types = (status?.conditions ?? []).map(({ type }: CertificateSigningRequestCondition) => type)
  if (status?.certificate || types.includes('Denied') || types.includes('Failed')) return 'done'
  return types.includes('Approved') ? 'approved' : 'new'
}

const yearSeconds = 365 * 86_400

/** How long a certificate shall last: what was asked for, a year at most. */
export const secondsOf = ({ spec }: Csr): number => Math.min(spec?.expirationSeconds ?? yearSeconds, yearSeconds)

const [hourMs, dayMs] = [3_600_000, 86_400_000]

/** After this time a request is forgotten: an hour after it was answered, a day where nobody answered. */
export function forgetAfterMs(csr: Csr, nowMs: number): number {
  const since = (time: string | undefined, lifeMs: number) => Date.parse(time ?? '') + lifeMs - nowMs
  const answered = csr.status?.conditions?.at(-1)?.lastUpdateTime
  return answered === undefined ? since(csr.metadata.creationTimestamp, dayMs) : since(answered, hourMs)
}
