// effect: files of the agent's certificate
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'

/** The certificate that an agent serves with where it was given none: made once, trusted by nobody in particular. */
export function ownCertificate(
  folder: string,
  nodeName: string,
  ips: readonly string[],
): { readonly cert: string; readonly key: string } {
  const [certFile, keyFile] = [join(folder, 'kubelet.crt'), join(folder, 'kubelet.key')]
  try {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const authority = createAuthority({ commonName: `${nodeName}-ca` })
  const pair = issueCertificate(authority, { commonName: nodeName, usages: ['server'], dnsNames: [nodeName], ips })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(certFile, pair.cert)
  writeFileSync(keyFile, pair.key, { mode: 0o600 })
  return pair
}
