// The signature by which a machine that joins a cluster believes what it is told of it: a JSON Web Signature (RFC 7515,
// appendix F: the content is left out) with the secret of its bootstrap token, as kubeadm's discovery has it.

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8 } from '#lib/bytes.ts'

/** `id` and `secret`: of a bootstrap token. */
export function signDetached(content: string, id: string, secret: string): string {
  const header = base64url(utf8(JSON.stringify({ alg: 'HS256', kid: id })))
  return `${header}..${signatureOf(header, content, secret)}`
}

export function isSignedBy(signature: string, content: string, id: string, secret: string): boolean {
  const [header = '', payload, signed, more] = signature.split('.')
  if (payload !== '' || signed === undefined || more !== undefined) return false
  return isHeaderOf(header, id) && signed === signatureOf(header, content, secret)
}

const signatureOf = (header: string, content: string, secret: string) =>
  base64url(hmac(sha256, utf8(secret), utf8(`${header}.${base64url(utf8(content))}`)))

function isHeaderOf(header: string, id: string): boolean {
  try {
    const { alg, kid } = JSON.parse(atob(header.replaceAll('-', '+').replaceAll('_', '/'))) as Record<string, unknown>
    return alg === 'HS256' && kid === id
  } catch {
    return false
  }
}

function base64url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
