import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCertificate } from '#ingress/certificates.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'

const authority = createAuthority({ commonName: 'test' })
const issue = (days: number, ...dnsNames: readonly string[]) =>
  issueCertificate(authority, { commonName: 'one', dnsNames, usages: ['server'], days })
const secret = (data: Readonly<Record<string, string>>) => ({
  data: Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')])),
})

test('a certificate says which hosts it is for, and whether it is over', () => {
  const { cert, key } = issue(1, 'A.test', '*.a.test')
  const read = readCertificate(secret({ 'tls.crt': cert, 'tls.key': key }))
  assert.ok(read.kind === 'pem' && read.pem.includes(cert.trim()) && read.pem.includes('PRIVATE KEY'))
  assert.deepEqual([read.names, read.problem], [['a.test', '*.a.test'], undefined])
  const old = issue(-1, 'a.test')
  const over = readCertificate(secret({ 'tls.crt': old.cert, 'tls.key': old.key }))
  assert.match(over.kind === 'pem' ? over.problem! : '', /^has a certificate that was valid until \w+/)
})

test('what cannot be used is told with the reason', () => {
  const { cert, key } = issue(1, 'a.test')
  const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{}, /^has no tls\.crt$/],
    [{ 'tls.crt': cert }, /^has no tls\.key$/],
    [{ 'tls.crt': 'x', 'tls.key': key }, /^has no certificate in tls\.crt$/],
    [{ 'tls.crt': cert, 'tls.key': issue(1, 'a.test').key }, /^has a key in tls\.key that is not of the certificate/],
    [{ 'tls.crt': cert, 'tls.key': 'x' }, /^has a tls\.crt or tls\.key that cannot be read: /],
  ]
  for (const [data, want] of cases) {
    const read = readCertificate(secret(data))
    assert.match(read.kind === 'wrong' ? read.message : '', want)
  }
})
