import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { exclusionLabel, whyNoBackend } from '#balancer/backends.ts'
import { at, node } from '#test/stored-objects.ts'

const labelled = (value: string) => node('a', { metadata: { labels: { [exclusionLabel]: value } } })
const cases = [
  ['a plain node', node('a'), undefined],
  ['not ready', node('a', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }), undefined],
  ['cordoned', node('a', { spec: { unschedulable: true } }), undefined],
  ['excluded', labelled('true'), `label ${exclusionLabel}`],
  ["excluded as kubeadm's control planes are", labelled(''), `label ${exclusionLabel}`],
  ['excluded by a value that means nothing', labelled('no'), `label ${exclusionLabel}`],
  ['expressly not excluded', labelled('false'), undefined],
  ['on its way out', node('a', { metadata: { deletionTimestamp: at(0) } }), 'the node is being deleted'],
  [
    'about to be removed by the autoscaler',
    node('a', { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }),
    'taint ToBeDeletedByClusterAutoscaler',
  ],
] as const

test('which nodes are back ends', () => {
  for (const [name, given, want] of cases) assert.equal(whyNoBackend(given), want, name)
})
