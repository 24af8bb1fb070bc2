import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IPAddress, ServiceCIDR } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { finalizer, planServiceCidr } from '#controllers/service-cidr/plan.ts'

const nowMs = Date.UTC(2026, 10, 21)
const ready = [{ type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2026-11-20T00:00:00Z' }]

function range(name: string, cidrs: string[], more: { goes?: boolean; ready?: boolean; free?: boolean } = {}) {
  return {
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      ...(!more.free && { finalizers: [finalizer] }),
      ...(more.goes && { deletionTimestamp: new Date(nowMs - 5000).toISOString() }),
    },
    spec: { cidrs },
    status: more.ready ? { conditions: ready } : {},
  } as unknown as Stored<ServiceCIDR>
}

const address = (name: string, managed = true) =>
  ({
    metadata: { name, labels: managed ? { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } : {} },
  }) as unknown as Stored<IPAddress>

const going = range('a', ['10.0.0.0/24'], { goes: true, ready: true })

type Case = [name: string, range: Stored<ServiceCIDR>, others: Stored<ServiceCIDR>[], addresses: string[], does: string]
const cases: Case[] = [
  ['a new one is protected and ready', range('a', ['10.0.0.0/24'], { free: true }), [], [], 'finalizers+1 Ready=True'],
  ['one that is ready stays as it is', range('a', ['10.0.0.0/24'], { ready: true }), [], [], ''],
  ['one that goes and is empty', going, [], [], 'finalizers+0'],
  ['one that goes and is used', going, [], ['10.0.0.7'], 'Ready=False'],
  ['addresses of others do not hold it', going, [], ['10.0.1.7'], 'finalizers+0'],
  ['a wider one holds its addresses', going, [range('b', ['10.0.0.0/16'])], ['10.0.0.7'], 'finalizers+0'],
  ['the same one again holds its addresses', going, [range('b', ['10.0.0.0/24'])], ['10.0.0.7'], 'finalizers+0'],
  ['a narrower one holds some of them', going, [range('b', ['10.0.0.0/28'])], ['10.0.0.7', '10.0.0.99'], 'Ready=False'],
  ['a narrower one holds all of them', going, [range('b', ['10.0.0.0/28'])], ['10.0.0.7'], 'finalizers+0'],
  ['its finalizer is gone already', range('a', ['10.0.0.0/24'], { goes: true, free: true }), [], ['10.0.0.7'], ''],
]

for (const [name, one, others, addresses, does] of cases)
  test(`a ServiceCIDR: ${name}`, () => {
    const { acts } = planServiceCidr(
      one,
      [one, ...others],
      addresses.map((ip) => address(ip)),
      nowMs,
    )
    const said = acts.map((act) => {
      assert.equal(act.kind, 'patch')
      const { metadata, status } = (act as { patch: Partial<Stored<ServiceCIDR>> }).patch
      if (metadata) return `finalizers+${metadata.finalizers?.length}`
      return status?.conditions?.map(({ type, status }) => `${type}=${status}`).join(' ')
    })
    assert.equal(said.join(' '), does)
  })

test('a ServiceCIDR: addresses that people made do not hold it', () => {
  const { acts } = planServiceCidr(going, [going], [address('10.0.0.7', false)], nowMs)
  assert.equal(acts.length, 1)
})

test('a ServiceCIDR: it waits a moment before it goes', () => {
  const { acts, againAfterMs } = planServiceCidr(going, [going], [], nowMs - 4600)
  assert.deepEqual([acts, againAfterMs], [[], 600])
})
