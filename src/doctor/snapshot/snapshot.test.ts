import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { redact } from '#doctor/snapshot/redact.ts'
import { snapshotScript } from '#doctor/snapshot/script.ts'
import { decodeSnapshot, encodeSnapshot, type Manifest, manifestsOf, nodeFile } from '#doctor/snapshot/snapshot.ts'

const manifest: Manifest = {
  fairwaySnapshot: 1,
  made: '2026-11-26T10:00:00.000Z',
  by: 'fairway test',
  nodes: ['node-1'],
  gaps: ['node-1: ipset.txt: no'],
}

test('snapshot: what is packed comes out again', () => {
  const files = [{ file: nodeFile('node-1', 'iptables-save.txt'), text: '*nat\nCOMMIT\n' }]
  const opened = decodeSnapshot(encodeSnapshot(manifest, files))
  assert.deepEqual(manifestsOf(opened!), [manifest])
  assert.deepEqual(opened!.slice(1), files)
  assert.deepEqual(manifestsOf(files), [])
  assert.equal(decodeSnapshot(new TextEncoder().encode('*nat\n')), undefined)
})

test('snapshot: secrets stay where they are', () => {
  const pod = {
    metadata: {
      name: 'a',
      managedFields: [{}],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"password":"x"}', kept: 'yes' },
    },
    spec: {
      tolerations: [{ key: 'a', value: 'b' }],
      containers: [
        {
          env: [
            { name: 'PASSWORD', value: 'hunter2' },
            { name: 'REF', valueFrom: { secretKeyRef: { name: 's' } } },
          ],
          args: ['--token=abc', '--api-key abc', '--port=80'],
        },
      ],
    },
  }
  assert.deepEqual(redact(pod), {
    metadata: { name: 'a', annotations: { kept: 'yes' } },
    spec: {
      tolerations: [{ key: 'a', value: 'b' }],
      containers: [
        {
          env: [
            { name: 'PASSWORD', value: '(left out)' },
            { name: 'REF', valueFrom: { secretKeyRef: { name: 's' } } },
          ],
          args: ['--token=(left out)', '--api-key (left out)', '--port=80'],
        },
      ],
    },
  })
})

test('snapshot: the script is one that every shell reads', () => {
  const script = snapshotScript('1.0')
  for (const shell of ['sh', 'busybox sh'])
    if (spawnSync('sh', ['-c', `command -v ${shell.split(' ')[0]}`]).status === 0)
      assert.equal(spawnSync('sh', ['-c', `${shell} -n`], { input: script }).status, 0, shell)
  assert.ok(script.length < 4096)
})
