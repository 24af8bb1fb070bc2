// What a certificate says (RFC 5280), as the bytes that get signed.

import { concat, utf8 } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { parseIp } from '#lib/ip.ts'
import * as der from '#pki/der.ts'

/** Kubernetes reads a user from a client certificate: its name from commonName, its groups from the organizations. */
export type Subject = { readonly commonName: string; readonly organizations?: readonly string[] | undefined }

export type CertificateBody = {
  readonly subject: Subject
  readonly issuer: Subject
  /** big endian */
  readonly serial: Uint8Array
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** SubjectPublicKeyInfo in DER, of the subject and of the issuer */
  readonly publicKey: Uint8Array
  readonly issuerKey: Uint8Array
  readonly isAuthority: boolean
  readonly usages: readonly ('server' | 'client')[]
  readonly dnsNames: readonly string[]
  readonly ips: readonly string[]
}

/** ecdsa-with-SHA256 */
export const signatureAlgorithm = der.sequence(der.oid('1.2.840.10045.4.3.2'))

/** Throws on an IP that is none. */
export function encodeBody(body: CertificateBody): Uint8Array {
  return der.sequence(
    der.context(0, der.integer(Uint8Array.of(2))),
    der.integer(body.serial),
    signatureAlgorithm,
    nameOf(body.issuer),
    der.sequence(der.time(body.notBeforeMs), der.time(body.notAfterMs)),
    nameOf(body.subject),
    body.publicKey,
    der.context(3, der.sequence(...extensionsOf(body))),
  )
}

export const encodeCertificate = (body: Uint8Array, signature: Uint8Array): Uint8Array =>
  der.sequence(body, signatureAlgorithm, der.bits(signature))

export function nameOf({ commonName, organizations = [] }: Subject): Uint8Array {
  const part = (oid: string, text: string) => der.set(der.sequence(der.oid(oid), der.utf8String(text)))
  return der.sequence(...organizations.map((name) => part('2.5.4.10', name)), part('2.5.4.3', commonName))
}

const purposes = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const
/** digitalSignature; and for authorities keyCertSign and cRLSign */
const leafUse = der.bits(Uint8Array.of(0b1000_0000), 7)
const authorityUse = der.bits(Uint8Array.of(0b1000_0110), 1)

const extension = (oid: string, value: Uint8Array, critical = false) =>
  der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value))

/** The extension subjectAltName; undefined where there is none. */
export function alternativeNames(dnsNames: readonly string[], ips: readonly string[]): Uint8Array | undefined {
  const names = [
    ...dnsNames.map((name) => der.contextBytes(2, utf8(name))),
    ...ips.map((ip) => der.contextBytes(7, bytesOfIp(ip))),
  ]
  return names.length === 0 ? undefined : extension('2.5.29.17', der.sequence(concat(...names)))
}

function extensionsOf(body: CertificateBody): Uint8Array[] {
  const { isAuthority, usages, dnsNames, ips, publicKey, issuerKey } = body
  const names = alternativeNames(dnsNames, ips)
  return [
    extension('2.5.29.19', der.sequence(...(isAuthority ? [der.boolean(true)] : [])), true),
    extension('2.5.29.15', isAuthority ? authorityUse : leafUse, true),
    ...(usages.length === 0
      ? []
      : [extension('2.5.29.37', der.sequence(...usages.map((usage) => der.oid(purposes[usage]))))]),
    extension('2.5.29.14', der.octets(keyIdOf(publicKey))),
    extension('2.5.29.35', der.sequence(der.contextBytes(0, keyIdOf(issuerKey)))),
    ...(names === undefined ? [] : [names]),
  ]
}

/** Any name for a key will do as long as it is the same in both places (RFC 7093 has this one: 160 bits of SHA-256). */
const keyIdOf = (publicKey: Uint8Array) => sha256(publicKey).subarray(0, 20)

function bytesOfIp(ip: string): Uint8Array {
  const bytes = parseIp(ip)
  if (bytes === undefined) throw new Error(`not an IP address for a certificate: ${ip}`)
  return bytes
}
