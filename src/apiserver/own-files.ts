// effect: files of keys and certificates
// What a server that is started without any certificates makes for itself: an authority, its own certificate, the key
// that signs tokens, and a kubeconfig for the administrator. Made once; kept where they are.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderKubeconfig } from '#client/render-kubeconfig.ts'
import { createAuthority, createKey, issueCertificate, type Authority, type KeyPair } from '#pki/certificate.ts'

export type OwnFiles = {
  readonly ca: string
  /** with its key */
  readonly authority: Authority
  readonly server: KeyPair
  readonly agentClient: KeyPair
  readonly tokenKey: string
  /** Writes a kubeconfig for `https://HOST:PORT`, and answers its path. */
  writeKubeconfig(url: string): string
}
export type OwnFilesOptions = {
  readonly folder: string
  /** addresses and names that the server's certificate is for */
  readonly ips: readonly string[]
  readonly dnsNames: readonly string[]
}

export function ownFiles({ folder, ips, dnsNames }: OwnFilesOptions): OwnFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const at = (name: string) => join(folder, name)
  const ca = keep(at('ca'), () => createAuthority({ commonName: 'kubernetes' }))
  // A server certificate is for addresses, which may have changed: it is made anew each time.
  const server = issueCertificate(ca, { commonName: 'kube-apiserver', usages: ['server'], ips, dnsNames })
  const agentClient = issueCertificate(ca, {
    commonName: 'kube-apiserver-kubelet-client',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  const tokenKey = keepText(at('service-account.key'), createKey)
  const writeKubeconfig = (url: string) => {
    writeFileSync(at('kubeconfig'), kubeconfigOf(url, ca), { mode: 0o600 })
    return at('kubeconfig')
  }
  return { ca: ca.cert, authority: ca, server, agentClient, tokenKey, writeKubeconfig }
}

function keep(path: string, make: () => Authority): Authority {
  if (existsSync(`${path}.key`) && existsSync(`${path}.crt`))
    return { cert: readFileSync(`${path}.crt`, 'utf8'), key: readFileSync(`${path}.key`, 'utf8') }
  const made = make()
  writeFileSync(`${path}.crt`, made.cert)
  writeFileSync(`${path}.key`, made.key, { mode: 0o600 })
  return made
}

function keepText(path: string, make: () => string): string {
  if (existsSync(path)) return readFileSync(path, 'utf8')
  const made = make()
  writeFileSync(path, made, { mode: 0o600 })
  return made
}

function kubeconfigOf(url: string, ca: Authority): string {
  const admin = issueCertificate(ca, {
    commonName: 'kubernetes-admin',
    organizations: ['system:masters'],
    usages: ['client'],
  })
  return renderKubeconfig({ name: 'fairway', user: 'admin', server: url, ca: ca.cert, ...admin })
}
