// Expectations from Kubernetes' pkg/controller/certificates/{approver,signer} and its documentation of signers.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgetAfterMs, isWellFormed, recognize, secondsOf, stageOf, type Csr } from '#controllers/certificate/plan.ts'

const csr = (spec: object, status: object = {}): Csr =>
  ({ metadata: { name: 'c', uid: 'u', creationTimestamp: '2026-11-21T00:00:00Z' }, spec, status }) as unknown as Csr
const client = ['digital signature', 'client auth']
const server = ['digital signature', 'server auth']
const ofNode = { commonName: 'system:node:a', organizations: ['system:nodes'] }
const plain = { subject: ofNode, dnsNames: [], ips: [], otherNames: 0 }
const kubelet = {
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usages: client,
  username: 'system:bootstrap:x',
}
const serving = { signerName: 'kubernetes.io/kubelet-serving', usages: server, username: 'system:node:a' }
const node = {
  status: {
    addresses: [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: 'a' },
    ],
  },
}
const named = { ...plain, ips: ['10.0.0.1'], dnsNames: ['a'] }

for (const [name, spec, asked, want] of [
  ['a node by its bootstrap token', kubelet, plain, 'nodeclient'],
  ['with an RSA key', { ...kubelet, usages: [...client, 'key encipherment'] }, plain, 'nodeclient'],
  ['a node anew', { ...kubelet, username: 'system:node:a' }, plain, 'selfnodeclient'],
  ['another usage too', { ...kubelet, usages: [...client, 'server auth'] }, plain, undefined],
  ['no client', { ...kubelet, usages: ['digital signature'] }, plain, undefined],
  ['another group', kubelet, { ...plain, subject: { ...ofNode, organizations: ['system:masters'] } }, undefined],
  ['one group more', kubelet, { ...plain, subject: { ...ofNode, organizations: ['system:nodes', 'x'] } }, undefined],
  ['no node', kubelet, { ...plain, subject: { ...ofNode, commonName: 'admin' } }, undefined],
  ['with addresses', kubelet, named, undefined],
  ['another signer', { ...kubelet, signerName: 'kubernetes.io/kube-apiserver-client' }, plain, undefined],
  ['what a node serves with', serving, named, 'nodeserver'],
  ['an address that is not its own', serving, { ...named, ips: ['10.0.0.2'] }, undefined],
  ['no address', serving, plain, undefined],
  ['for another node', { ...serving, username: 'system:node:b' }, named, undefined],
] as const)
  test(`approved without a person: ${name}`, () => assert.equal(recognize(csr(spec), asked, node), want))

test('a node that the cluster does not know yet has no addresses', () =>
  assert.equal(recognize(csr(serving), named, undefined), undefined))

test('what a signer signs', () => {
  const person = { signerName: 'kubernetes.io/kube-apiserver-client', usages: client }
  assert.equal(isWellFormed(csr(person), { ...plain, subject: { commonName: 'jane', organizations: [] } }), true)
  assert.equal(isWellFormed(csr({ ...person, usages: server }), plain), false)
  assert.equal(isWellFormed(csr({ signerName: 'example.com/x', usages: client }), plain), false)
})

test('how far a request is, and how long it is kept', () => {
  const at = (type: string) => ({ conditions: [{ type, status: 'True', lastUpdateTime: '2026-11-21T01:00:00Z' }] })
  const stages = [{}, at('Approved'), at('Denied'), at('Failed'), { ...at('Approved'), certificate: 'x' }]
  assert.deepEqual(
    stages.map((status) => stageOf(csr({}, status))),
    ['new', 'approved', 'done', 'done', 'done'],
  )
  const now = Date.UTC(2026, 10, 21, 1)
  assert.equal(forgetAfterMs(csr({}), now), 23 * 3_600_000)
  assert.equal(forgetAfterMs(csr({}, at('Approved')), now), 3_600_000)
  assert.equal(secondsOf(csr({ expirationSeconds: 600 })), 600)
  assert.equal(secondsOf(csr({ expirationSeconds: 10 ** 9 })), 365 * 86_400)
})
