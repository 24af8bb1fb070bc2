// Requests against OpenSSL: ours are read by it, its own by us.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createRequest, parseRequest } from '#pki/certificate-request.ts'
import { createAuthority, createKey, publicKeyOf, signRequest } from '#pki/certificate.ts'
import { need } from '#test/need.ts'

const skip = need({ programs: ['openssl', 'sh'] })
const openssl = (script: string, input = ''): string => {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}
const node = { commonName: 'system:node:a', organizations: ['system:nodes'] }

test('a request of ours says what it should', { skip }, () => {
  const pem = createRequest(createKey(), { ...node, dnsNames: ['a'], ips: ['10.0.0.1', 'fd00::1'] })
  const text = openssl('openssl req -noout -text -verify 2>&1', pem)
  assert.match(text, /verify OK/)
  assert.match(text, /Subject: O *= *system:nodes, CN *= *system:node:a/)
  assert.match(text, /DNS:a, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1/)
})

for (const [name, key] of [
  ['P-256', 'ecparam -name prime256v1 -genkey -noout'],
  ['P-384', 'ecparam -name secp384r1 -genkey -noout'],
  ['RSA', 'genrsa 2048'],
  ['Ed25519', 'genpkey -algorithm ed25519'],
] as const)
  test(`a request with a key of ${name} is read, signed, and belongs to its authority`, { skip }, () => {
    const names = '-addext subjectAltName=DNS:b,IP:192.0.2.7,email:x@example.com'
    const pem = openssl(`openssl ${key} | openssl req -new -key /dev/stdin -subj /O=g1/O=g2/CN=n ${names}`)
    const request = parseRequest(pem)!
    assert.deepEqual(request.subject, { commonName: 'n', organizations: ['g1', 'g2'] })
    assert.deepEqual([request.dnsNames, request.ips, request.otherNames], [['b'], ['192.0.2.7'], 1])
    const authority = createAuthority({ commonName: 'ca' })
    const cert = new X509Certificate(signRequest(authority, request, { usages: ['client'], seconds: 3600 }))
    assert.ok(cert.checkIssued(new X509Certificate(authority.cert)))
    assert.ok(cert.verify(new X509Certificate(authority.cert).publicKey))
    assert.ok(cert.publicKey.equals(request.publicKey))
    const lifeMs = cert.validToDate.getTime() - Date.now()
    assert.ok(lifeMs > 3_500_000 && lifeMs <= 3_600_000)
    assert.deepEqual(cert.keyUsage, ['1.3.6.1.5.5.7.3.2'])
  })

test('what is no request, or not signed by its own key, is none', () => {
  const key = createKey()
  const pem = createRequest(key, node)
  assert.deepEqual(parseRequest(pem)?.subject, node)
  assert.equal(parseRequest(pem)?.publicKey.export({ type: 'spki', format: 'pem' }), publicKeyOf(key))
  const bytes = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')
  const wrap = (body: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${body.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  assert.ok(parseRequest(wrap(bytes)))
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 0x11
    assert.equal(parseRequest(wrap(changed)), undefined, `byte ${at}`)
    assert.equal(parseRequest(wrap(bytes.subarray(0, at))), undefined, `cut at ${at}`)
  }
  for (const text of ['', 'x', pem.replaceAll('REQUEST', 'THING')]) assert.equal(parseRequest(text), undefined)
})
