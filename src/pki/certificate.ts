// effect: random keys and serial numbers, the current time
// Authorities and the certificates that they issue: ECDSA on P-256, signed with SHA-256.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { encodeBody, encodeCertificate, type Subject } from '#pki/certificate-body.ts'
import type { RequestedCertificate } from '#pki/certificate-request.ts'
import { encodePem } from '#pki/pem.ts'

/** A certificate and its private key (PKCS 8), both PEM. */
export type KeyPair = { readonly cert: string; readonly key: string }
export type Authority = KeyPair

export type CertificateRequest = Subject & {
  readonly usages: readonly ('server' | 'client')[]
  readonly dnsNames?: readonly string[]
  readonly ips?: readonly string[]
  /** default 365 */
  readonly days?: number
  /** the subject's own key pair, where it has one already */
  readonly key?: string
}

const dayMs = 86_400_000
/** Certificates count from a little before now, since clocks differ. */
const backdatedMs = 300_000

/** A new private key as PEM: for authorities, for tokens. */
export function createKey(): string {
  return pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
}

/** The public key of a private key, as PEM. */
export function publicKeyOf(key: string): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' })
}

/** A new authority that signs itself. */
export function createAuthority({ commonName, days = 3650 }: { commonName: string; days?: number }): Authority {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const request = { commonName, days, usages: [] }
  return { cert: certify(request, key, { subject: request, key }, true), key: pemOf(key) }
}

/** Throws where the authority's own texts are no certificate or key. */
export function issueCertificate(authority: Authority, request: CertificateRequest): KeyPair {
  const key =
    request.key === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
      : createPrivateKey(request.key)
  const issuer = { subject: subjectOf(authority.cert), key: createPrivateKey(authority.key) }
  return { cert: certify(request, key, issuer, false), key: pemOf(key) }
}

function certify(
  request: CertificateRequest,
  key: KeyObject,
  issuer: { readonly subject: Subject; readonly key: KeyObject },
  isAuthority: boolean,
): string {
  const nowMs = Date.now()
  const body = encodeBody({
    subject: request,
    issuer: issuer.subject,
    serial: randomBytes(16),
    notBeforeMs: nowMs - backdatedMs,
    notAfterMs: nowMs + (request.days ?? 365) * dayMs,
    publicKey: spkiOf(key),
    issuerKey: spkiOf(issuer.key),
    isAuthority,
    usages: request.usages,
    dnsNames: request.dnsNames ?? [],
    ips: request.ips ?? [],
  })
  return encodePem('CERTIFICATE', encodeCertificate(body, sign('sha256', body, issuer.key)))
}

/** Signs what a request asks for (PEM answers PEM), for these usages and this long, in seconds. */
export function signRequest(
  authority: Authority,
  { subject, dnsNames, ips, publicKey }: RequestedCertificate,
  { usages, seconds }: { readonly usages: CertificateRequest['usages']; readonly seconds: number },
): string {
  const issuer = { subject: subjectOf(authority.cert), key: createPrivateKey(authority.key) }
  const request = { ...subject, usages, dnsNames, ips, days: seconds / 86_400 }
  return certify(request, publicKey, issuer, false)
}

/** The subject of a certificate: of an authority as issuer, of a client as user. */
export function subjectOf(cert: string): Subject {
  const { CN = '', O = [] } = new X509Certificate(cert).toLegacyObject().subject as {
    CN?: string
    O?: string | string[]
  }
  return { commonName: CN, organizations: typeof O === 'string' ? [O] : O }
}

const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }) as string
const spkiOf = (key: KeyObject) =>
  (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' })
