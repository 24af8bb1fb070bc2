import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultPrefix, keysOf, leaseOf, missingAnnotations, subnetOf } from '#flannel/annotations.ts'
import { equalNodeView, toNodeView, type NodeView } from '#flannel/state.ts'

const keys = keysOf(defaultPrefix)
const node = (annotations: Record<string, string>, more: Partial<NodeView> = {}): NodeView => ({
  name: 'node-2',
  uid: 'u2',
  createdAt: '2026-01-01T00:00:00Z',
  podCidrs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
  annotations,
  networkUnavailable: undefined,
  problem: undefined,
  ...more,
})
const own = 'flannel.alpha.coreos.com'

test('annotations: names after the prefix', () => {
  assert.equal(keysOf(own).byFamily[4].publicIp, 'flannel.alpha.coreos.com/public-ip')
  assert.equal(keysOf('example.org/pods').byFamily[6].data, 'example.org/pods-backend-v6-data')
  assert.equal(keysOf('example.org/pods-').managed, 'example.org/pods-kube-subnet-manager')
  assert.equal(keysOf('example.org/').backendType, 'example.org/backend-type')
})

test('annotations: a node as a lease', () => {
  const annotations = {
    [`${own}/kube-subnet-manager`]: 'true',
    [`${own}/backend-type`]: 'vxlan',
    [`${own}/backend-data`]: '{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"}',
    [`${own}/public-ip`]: '10.168.0.3',
  }
  assert.deepEqual(leaseOf(node(annotations), keys), {
    node: 'node-2',
    createdAt: '2026-01-01T00:00:00Z',
    backendType: 'vxlan',
    byFamily: {
      4: { subnet: '10.244.1.0/24', publicIp: '10.168.0.3', data: '{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"}' },
    },
  })
  assert.equal(leaseOf(node({ ...annotations, [`${own}/kube-subnet-manager`]: 'false' }), keys), undefined)
  assert.deepEqual(leaseOf(node({ ...annotations, [`${own}/public-ip`]: 'x' }), keys)?.byFamily, {})
  assert.deepEqual(leaseOf(node(annotations, { podCidrs: [] }), keys)?.byFamily, {})
})

test('annotations: only what is missing is written', () => {
  const announcement = { backendType: 'host-gw', byFamily: { 4: { publicIp: '10.168.0.3', data: 'null' } } }
  const missing = missingAnnotations(node({}), announcement, keys)
  assert.deepEqual(missing, {
    [`${own}/kube-subnet-manager`]: 'true',
    [`${own}/backend-type`]: 'host-gw',
    [`${own}/backend-data`]: 'null',
    [`${own}/public-ip`]: '10.168.0.3',
  })
  assert.deepEqual(missingAnnotations(node(missing), announcement, keys), {})
  const behindNat = { ...missing, [`${own}/public-ip-overwrite`]: '203.0.113.9' }
  const overwritten = { [`${own}/public-ip`]: '203.0.113.9' }
  assert.deepEqual(missingAnnotations(node(behindNat), announcement, keys), overwritten)
  assert.deepEqual(missingAnnotations(node({ ...behindNat, ...overwritten }), announcement, keys), {})
})

test('state: what of a node counts', () => {
  const object = {
    metadata: { name: 'n', uid: 'u', creationTimestamp: 't', annotations: { [`${own}/public-ip`]: '1', other: 'x' } },
    spec: { podCIDR: '10.244.1.0/24' },
    status: { conditions: [{ type: 'NetworkUnavailable', status: 'True' }], images: [] },
  }
  const view = toNodeView(object, own)
  assert.deepEqual(view, {
    name: 'n',
    uid: 'u',
    createdAt: 't',
    podCidrs: ['10.244.1.0/24'],
    annotations: { [`${own}/public-ip`]: '1' },
    networkUnavailable: 'True',
    problem: undefined,
  })
  assert.equal(subnetOf(view, 4), '10.244.1.0/24')
  assert.equal(subnetOf(view, 6), undefined)
  const later = { ...object, metadata: { ...object.metadata, annotations: { [`${own}/public-ip`]: '1', other: 'y' } } }
  assert.equal(equalNodeView(view, toNodeView(later, own)), true)
  const conditions = [{ type: 'PodNetworkIncomplete', status: 'True', message: 'no route' }]
  assert.equal(toNodeView({ ...object, status: { conditions } }, own).problem, 'no route')
})
