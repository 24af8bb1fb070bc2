import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { createAuthority, createKey, issueCertificate, publicKeyOf, subjectOf } from '#pki/certificate.ts'
import { need } from '#test/need.ts'

const authority = createAuthority({ commonName: 'kubernetes' })
const server = issueCertificate(authority, {
  commonName: 'kube-apiserver',
  dnsNames: ['kubernetes', 'kubernetes.default.svc'],
  ips: ['127.0.0.1', '10.96.0.1', '::1'],
  usages: ['server'],
})
const client = issueCertificate(authority, {
  commonName: 'system:node:node-1',
  organizations: ['system:nodes', 'second group'],
  usages: ['client'],
  days: 30_000,
})

test('certificate: what it says', () => {
  const cert = new X509Certificate(server.cert)
  const ca = new X509Certificate(authority.cert)
  assert.equal(
    cert.subjectAltName,
    'DNS:kubernetes, DNS:kubernetes.default.svc, IP Address:127.0.0.1, IP Address:10.96.0.1, IP Address:0:0:0:0:0:0:0:1',
  )
  assert.deepEqual([cert.ca, ca.ca], [false, true])
  assert.ok(cert.verify(ca.publicKey) && cert.checkIssued(ca) && ca.checkIssued(ca))
  assert.deepEqual(cert.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  assert.ok(cert.checkHost('kubernetes.default.svc') && cert.checkIP('10.96.0.1'))
  assert.deepEqual(subjectOf(client.cert), {
    commonName: 'system:node:node-1',
    organizations: ['system:nodes', 'second group'],
  })
  const days = (new X509Certificate(client.cert).validToDate.getTime() - Date.now()) / 86_400_000
  assert.equal(Math.round(days), 30_000)
})

test('certificate: a key of its own', () => {
  const key = createKey()
  const { cert } = issueCertificate(authority, { commonName: 'x', usages: ['client'], key })
  assert.equal(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'pem' }), publicKeyOf(key))
})

test('certificate: TLS with both sides checked', async () => {
  let peer: PeerCertificate | undefined
  const options = { ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true }
  const listener = createServer(options, (incoming, response) => {
    peer = (incoming.socket as TLSSocket).getPeerCertificate()
    response.end('ok')
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  const get = (identity: { cert: string; key: string }) =>
    new Promise<number | undefined>((resolve, reject) => {
      const more = { host: '127.0.0.1', port, ca: authority.cert, agent: false as const }
      request({ ...more, ...identity }, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end()
    })
  assert.equal(await get(client), 200)
  assert.deepEqual(peer?.subject.O, ['system:nodes', 'second group'])
  const stranger = createAuthority({ commonName: 'kubernetes' })
  await assert.rejects(get(issueCertificate(stranger, { commonName: 'x', usages: ['client'] })))
  listener.close()
  listener.closeAllConnections()
})

test('certificate: openssl agrees', { skip: need({ programs: ['openssl'] }) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-pki-'))
  const files = { 'ca.pem': authority.cert, 'server.pem': server.cert, 'client.pem': client.cert }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const openssl = (...words: string[]) => spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' })
  const strict = ['verify', '-x509_strict', '-CAfile', 'ca.pem']
  assert.match(openssl(...strict, '-purpose', 'sslserver', '-verify_ip', '10.96.0.1', 'server.pem').stdout, /OK/)
  assert.match(openssl(...strict, '-purpose', 'sslclient', 'client.pem').stdout, /OK/)
  assert.doesNotMatch(openssl(...strict, '-purpose', 'sslclient', 'server.pem').stdout, /OK/)
  rmSync(folder, { recursive: true })
})
