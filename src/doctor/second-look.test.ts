// Two looks at a cluster in motion, and at one in which something is broken for good.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import { needsSecondLook } from '#doctor/second-look.ts'
import { readView } from '#doctor/view.ts'
import { type Change, changed, edit, object, recorded } from '#test/doctor-snapshot.ts'

const gone = (ip: string): Change => edit('node-1/iptables-save.txt', '10.244.1.3:9376', `${ip}:9376`)
const twice = (first: readonly Change[], second: readonly Change[]) => {
  const { look } = diagnose(readView(changed(...first)))
  assert.ok(needsSecondLook(look))
  return diagnose(readView(changed(...second)), { before: look }).findings.map(({ code, about }) => `${code} ${about}`)
}

test('second look: a healthy cluster needs none', () => {
  assert.equal(needsSecondLook(diagnose(readView(recorded)).look), false)
})

test('second look: what passes is not said', () => {
  assert.deepEqual(twice([gone('10.244.1.8')], []), [])
  // Each look meets a pod of its own that has just ended.
  const other = edit('node-1/iptables-save.txt', '10.244.0.4:9376', '10.244.0.9:9376')
  assert.deepEqual(twice([gone('10.244.1.8')], [other]), [])
  const late: Change = object('endpointslices', 'hostnames', (slice) => slice.endpoints.pop())
  assert.deepEqual(twice([late], [other]), [])
})

test('second look: what stays is said', () => {
  assert.deepEqual(twice([gone('10.244.1.8')], [gone('10.244.1.8')]), [
    'StaleEndpoint svc/default/hostnames',
    'StaleEndpoint svc/default/hostnames-nodeport',
  ])
  const hairpin = edit('node-2/ip-addr.json', '"hairpin":true', '"hairpin":false')
  assert.deepEqual(twice([hairpin, gone('10.244.1.8')], [hairpin]), ['HairpinOff node/node-2'])
})
