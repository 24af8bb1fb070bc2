// effect: the cryptography of Node, the time of day
// A Secret's certificate and key, checked before a proxy gets them: one that cannot be used must harm nothing else.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Secret } from '#api/core.ts'
import { messageOf } from '#daemon/error.ts'
import type { Stored } from '#api/stored.ts'
import type { Certificate } from '#ingress/state.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'

/** What was read of Secrets, once for each state of one. */
export class Certificates {
  readonly #known = new WeakMap<Stored<Secret>, Certificate>()

  read(secret: Stored<Secret> | undefined): Certificate | undefined {
    if (secret === undefined) return undefined
    let certificate = this.#known.get(secret)
    if (certificate === undefined) this.#known.set(secret, (certificate = readCertificate(secret)))
    return certificate
  }
}

/** A certificate that nobody trusts, and its key: for names that no Secret is for. */
export function createOwnCertificate(): string {
  const authority = createAuthority({ commonName: 'Fairway Ingress' })
  const commonName = 'ingress.invalid'
  const { cert, key } = issueCertificate(authority, {
    commonName,
    dnsNames: [commonName],
    usages: ['server'],
    days: 3650,
  })
  return `${cert.trim()}\n${key.trim()}\n`
}

const blocks = /-----BEGIN ([A-Z ]+)-----[^]+?-----END \1-----/g

export function readCertificate(secret: Secret): Certificate {
  const cert = textOf(secret, 'tls.crt')
  const key = textOf(secret, 'tls.key')
  if (cert === undefined || key === undefined)
    return { kind: 'wrong', message: `has no ${cert === undefined ? 'tls.crt' : 'tls.key'}` }
  const certificates = (cert.match(blocks) ?? []).filter((block) => block.includes('BEGIN CERTIFICATE'))
  const [first] = certificates
  if (first === undefined) return { kind: 'wrong', message: 'has no certificate in tls.crt' }
  try {
    const parsed = certificates.map((block) => new X509Certificate(block))
    const privateKey = createPrivateKey(key)
    if (!parsed[0]!.checkPrivateKey(privateKey))
      return { kind: 'wrong', message: 'has a key in tls.key that is not of the certificate in tls.crt' }
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const { subjectAltName = '', validTo } = parsed[0]!
    const names = [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name]) => name!.toLowerCase())
    const isOver = Date.parse(validTo) < Date.now()
    return {
      kind: 'pem',
      pem: [...certificates, pem.trim(), ''].join('\n'),
      names,
      ...(isOver && { problem: `has a certificate that was valid until ${validTo}` }),
    }
  } catch (error) {
    return { kind: 'wrong', message: `has a tls.crt or tls.key that cannot be read: ${messageOf(error)}` }
  }
}

/** One entry of a Secret. */
export function textOf({ data = {} }: Secret, name: string): string | undefined {
  return data[name] === undefined ? undefined : new TextDecoder().decode(bytesOf(data[name]))
}

/** JSON has base64, other encodings bytes. */
const bytesOf = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? Buffer.from(value, 'base64') : value
