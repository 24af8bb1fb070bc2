// effect: signatures by the crypto library
// Certificate signing requests (PKCS #10, RFC 2986): who wants to be called what, proved with the key that it is for.
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { formatIp } from '#lib/ip.ts'
import { alternativeNames, nameOf, signatureAlgorithm, type Subject } from '#pki/certificate-body.ts'
import { partsOf, readDer, readOid, type DerValue } from '#pki/der-reader.ts'
import * as der from '#pki/der.ts'
import { decodePem, encodePem } from '#pki/pem.ts'

export type RequestedCertificate = {
  readonly subject: { readonly commonName: string; readonly organizations: readonly string[] }
  readonly dnsNames: readonly string[]
  readonly ips: readonly string[]
  /** names of other kinds: mail addresses, URIs ... */
  readonly otherNames: number
  readonly publicKey: KeyObject
}

const extensionRequest = '1.2.840.113549.1.9.14'
const subjectAltName = '2.5.29.17'

/** A request as PEM, signed with the private key (PEM) that the certificate is for. */
export function createRequest(
  key: string,
  request: Subject & { readonly dnsNames?: readonly string[]; readonly ips?: readonly string[] },
): string {
  const { dnsNames = [], ips = [] } = request
  const privateKey = createPrivateKey(key)
  const names = alternativeNames(dnsNames, ips)
  const attributes = names === undefined ? [] : [der.sequence(der.oid(extensionRequest), der.set(der.sequence(names)))]
  const info = der.sequence(
    der.integer(Uint8Array.of(0)),
    nameOf(request),
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    der.context(0, new Uint8Array(Buffer.concat(attributes))),
  )
  const signed = der.sequence(info, signatureAlgorithm, der.bits(sign('sha256', info, privateKey)))
  return encodePem('CERTIFICATE REQUEST', signed)
}

/** Reads a request (PEM) and checks its signature; undefined where it is none, or not of its own key. */
export function parseRequest(pem: string): RequestedCertificate | undefined {
  try {
    const bytes = decodePem('CERTIFICATE REQUEST', pem)
    return bytes && parse(bytes)
  } catch {
    // Whatever is wrong with the bytes of a stranger, they are no request.
    return undefined
  }
}

function parse(bytes: Uint8Array): RequestedCertificate | undefined {
  const [outer] = partsOf(bytes, tag.sequence)
  const [info, algorithm, signature] = partsOf(outer!.body, tag.sequence, tag.sequence, tag.bits)
  const [, subject, publicKeyInfo, attributes] = partsOf(
    info!.body,
    tag.integer,
    tag.sequence,
    tag.sequence,
    tag.attributes,
  )
  const publicKey = createPublicKey({ key: Buffer.from(publicKeyInfo!.whole), format: 'der', type: 'spki' })
  const [kind, ...parameters] = readDer(algorithm!.body)
  const hash = kind?.tag === tag.oid && parameters.every(isNull) ? hashes[readOid(kind.body)] : undefined
  // The first byte of bits says how many of the last ones do not count.
  if (
    hash === undefined ||
    signature!.body[0] !== 0 ||
    !verify(hash || null, info!.whole, publicKey, signature!.body.subarray(1))
  )
    return undefined
  return { subject: readName(subject!), ...readNames(attributes), publicKey }
}

const tag = { integer: 2, bits: 3, null: 5, oid: 6, sequence: 0x30, attributes: 0xa0 } as const
const isNull = (value: DerValue) => value.tag === tag.null && value.body.length === 0

/** Of signature algorithms; '': the algorithm has its own. */
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': '',
}

function readName({ body }: DerValue): RequestedCertificate['subject'] {
  const organizations: string[] = []
  let commonName = ''
  for (const set of readDer(body))
    for (const pair of readDer(set.body)) {
      const [type, value] = readDer(pair.body)
      const oid = readOid(type!.body)
      if (oid === '2.5.4.10') organizations.push(new TextDecoder().decode(value!.body))
      if (oid === '2.5.4.3') commonName = new TextDecoder().decode(value!.body)
    }
  return { commonName, organizations }
}

type Names = Pick<RequestedCertificate, 'dnsNames' | 'ips' | 'otherNames'>

function readNames(attributes: DerValue | undefined): Names {
  const dnsNames: string[] = []
  const ips: string[] = []
  let otherNames = 0
  for (const name of attributes === undefined ? [] : namesOf(attributes)) {
    if (name.tag === 0x82) dnsNames.push(new TextDecoder().decode(name.body))
    else if (name.tag === 0x87) ips.push(formatIp(name.body))
    else otherNames++
  }
  return { dnsNames, ips, otherNames }
}

function namesOf(attributes: DerValue): readonly DerValue[] {
  for (const attribute of readDer(attributes.body)) {
    const [type, set] = readDer(attribute.body)
    if (readOid(type!.body) !== extensionRequest) continue
    for (const extension of readDer(readDer(set!.body)[0]!.body)) {
      const parts = readDer(extension.body)
      if (readOid(parts[0]!.body) === subjectAltName) return readDer(readDer(parts.at(-1)!.body)[0]!.body)
    }
  }
  return []
}
