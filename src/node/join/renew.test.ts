// Certificates of a node are renewed while it runs, by a cluster that signs what it is asked for; who has read the
// kubeconfig before shows the new one from then on.
import * as assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { certificateSigningRequests as requests } from '#api/certificates.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { fakeClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { saveIdentity } from '#node/join/join.ts'
import { keepClientCertificate } from '#node/join/renew.ts'
import { keepServing, loadServing } from '#node/server/serving-certificate.ts'
import { createAuthority, issueCertificate, signRequest } from '#pki/certificate.ts'
import { parseRequest } from '#pki/certificate-request.ts'
import { serveApi, type ServedApi } from '#test/served-api.ts'
import { untilSeen } from '#test/until.ts'

const dayMs = 86_400_000
const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
let api: ServedApi
let folder: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairway-renew-'))
  api = await serveApi()
})
after(async () => {
  await api[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** What a signer does, in the name of the cluster. */
async function signOne(): Promise<string> {
  const csr = await untilSeen(async () => {
    const { items } = await api.call('GET', path)
    return items.find(({ status }: { status?: { certificate?: string } }) => !status?.certificate)
  })
  const cert = signRequest(api.ca, parseRequest(atob(csr.spec.request))!, {
    usages: ['client'],
    seconds: 30 * 86_400,
  })
  const { body } = await api.ask(`${path}/${csr.metadata.name}/status`, {
    ...api.admin,
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ status: { certificate: btoa(cert) } }),
  })
  assert.equal(JSON.parse(body).status.certificate, btoa(cert))
  return csr.spec.username
}

test('the certificate of a node, in time', async (context) => {
  const kubeconfig = join(folder, 'kubeconfig')
  const server = `https://127.0.0.1:${api.port}`
  const pair = issueCertificate(api.ca, {
    commonName: 'system:node:n',
    organizations: ['system:nodes'],
    usages: ['client'],
    days: 10,
  })
  saveIdentity(kubeconfig, { server, ca: api.ca.cert, nodeName: 'n', ...pair })
  const early = connect(loadKubeconfig(kubeconfig))
  await early.get(requests, 'none').catch(() => undefined)
  const stop = new AbortController()
  context.after(() => stop.abort())
  const clock = fakeClock(Date.now())
  const kept = keepClientCertificate(kubeconfig, 'n', { signal: stop.signal, log: silentLog, clock })
  await clock.advance(6 * dayMs)
  assert.equal((await api.call('GET', path)).items.length, 0, 'not before it is needed')
  const renewing = clock.advance(1.1 * dayMs)
  assert.equal(await signOne(), 'system:node:n', 'it asks in its own name')
  await renewing
  const renewed = await untilSeen(() => {
    const { cert } = loadKubeconfig(kubeconfig)
    return cert === pair.cert ? undefined : cert
  })
  assert.match(new X509Certificate(renewed).subject, /CN=system:node:n/)
  stop.abort()
  await kept
  // The server tells two certificates of one name apart by nothing, so here the file becomes that of another user.
  const other = issueCertificate(api.ca, { commonName: 'somebody', usages: ['client'] })
  saveIdentity(kubeconfig, { server, ca: api.ca.cert, nodeName: 'n', ...other })
  await untilSeen(async () => {
    const error = await early.get(requests, 'none').catch((error: unknown) => error)
    return /User "somebody"/.test(String(error)) ? true : undefined
  })
  early.close()
})

test('the certificate that the agent serves with, in time and for its addresses', async () => {
  const own = createAuthority({ commonName: 'kubernetes' })
  const serving = (ip: string, days: number) =>
    issueCertificate(own, { commonName: 'system:node:n', usages: ['server'], ips: [ip], days })
  const used: string[] = []
  const clock = fakeClock(Date.now())
  const stop = new AbortController()
  let isDown = false
  const kept = keepServing(
    {
      folder,
      ips: ['192.0.2.1'],
      request: () =>
        isDown
          ? Promise.reject(new Error('no server'))
          : Promise.resolve(serving('192.0.2.1', used.length === 0 ? 10 : 100)),
      use: ({ cert }) => void used.push(cert),
    },
    { signal: stop.signal, log: silentLog, clock },
  )
  await clock.advance(6 * dayMs)
  assert.equal(used.length, 1)
  isDown = true
  await clock.advance(1.5 * dayMs)
  assert.equal(used.length, 1)
  isDown = false
  await clock.advance(120_000)
  assert.equal(used.length, 2)
  assert.equal(readFileSync(join(folder, 'kubelet-serving.crt'), 'utf8'), used[1])
  assert.equal(loadServing(folder, ['192.0.2.1'], Date.now())?.cert, used[1])
  assert.equal(loadServing(folder, ['192.0.2.9'], Date.now()), undefined, 'the node has moved')
  stop.abort()
  await clock.advance(1)
  await kept
})
