// effect: certificates
// From when to when a certificate counts.
import { X509Certificate } from 'node:crypto'

/** With less of its life left a certificate is renewed. */
export const leastLife = 0.3

export function lifeOf(cert: string): { readonly endMs: number; readonly lengthMs: number } {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  const endMs = validToDate.getTime()
  return { endMs, lengthMs: endMs - validFromDate.getTime() }
}
