// effect: keys, requests to the API server
// Asks the cluster for a certificate, and waits until it is there.
import { randomBytes } from 'node:crypto'
import { certificateSigningRequests as requests, type CertificateSigningRequest } from '#api/certificates.ts'
import type { Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { createRequest } from '#pki/certificate-request.ts'
import { createKey, type KeyPair } from '#pki/certificate.ts'

export type Wish = {
  readonly signerName: string
  readonly usage: 'client auth' | 'server auth'
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ips?: readonly string[]
}

/** Where nobody approves it automatically, a person has to: the log says how. Throws UserError where it is denied. */
export async function requestCertificate(
  client: Client,
  wish: Wish,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<KeyPair> {
  const key = createKey()
  const name = `node-csr-${randomBytes(16).toString('base64url').replaceAll(/[_-]/g, '').toLowerCase()}`
  const spec = {
    request: btoa(createRequest(key, wish)),
    signerName: wish.signerName,
    usages: ['digital signature', wish.usage],
  }
  await client.create(requests, { metadata: { name }, spec }, { signal })
  log.info('Asked for a certificate', { request: name, subject: wish.commonName })
  const stop = new AbortController()
  const answered = Promise.withResolvers<string>()
  const give = () => answered.reject(signal.reason as Error)
  signal.addEventListener('abort', give, { once: true })
  const hint = setTimeout(
    () => log.warn(`Nobody has approved the request yet: kubectl certificate approve ${name}`),
    10_000,
  )
  informer(client, requests, {
    fieldSelector: `metadata.name=${name}`,
    signal: AbortSignal.any([signal, stop.signal]),
    log,
    onChange: ({ value }) => follow(value, answered),
  })
  try {
    return { key, cert: await answered.promise }
  } finally {
    clearTimeout(hint)
    signal.removeEventListener('abort', give)
    stop.abort()
  }
}

function follow({ metadata, status }: CertificateSigningRequest, answered: PromiseWithResolvers<string>): void {
  if (status?.certificate) answered.resolve(atob(status.certificate))
  const no = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
  if (no === undefined) return
  const why = [no.reason, no.message].filter(Boolean).join(': ')
  answered.reject(
    new UserError(`the request ${metadata?.name} for a certificate was refused: ${why}`, { code: 'Denied' }),
  )
}
