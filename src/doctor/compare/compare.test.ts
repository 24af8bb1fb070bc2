// Rules of kube-proxy for the Services of a small cluster, damaged (recorded-proxies.test.ts has them whole).
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import { readView } from '#doctor/view.ts'
import { recordedProxy } from '#test/doctor-snapshot.ts'

/** The rules of the source document's three pods, with a change. */
const damaged = (change: (text: string) => string) => {
  const [rules, objects] = recordedProxy('seeds.v4.save')
  const text = change(rules!.text)
  assert.notEqual(text, rules!.text)
  return readView([{ ...rules!, text }, objects!])
}
const codesOf = (change: (text: string) => string) => diagnose(damaged(change)).findings.map(({ code }) => code)

test('compare: an endpoint that is gone, in the share that its chain has', () => {
  const view = damaged((text) => text.replace(/(-A KUBE-SEP-\w+ .*--to-destination )10\.244\.\d+\.\d+/, '$110.244.9.9'))
  const [first] = diagnose(view).findings
  assert.equal(first?.code, 'StaleEndpoint')
  assert.match(first.summary, /10\.244\.9\.9/)
  assert.match(
    first.evidence.join('\n'),
    /-A KUBE-SEP-\w+ .*--to-destination 10\.244\.9\.9:\d+ \(seeds\.v4\.save:\d+\)/,
  )
})

test('compare: jumps that somebody flushed', () => {
  assert.deepEqual(
    codesOf((text) => text.replaceAll(/^-A (PREROUTING|OUTPUT) .*-j KUBE-SERVICES\n/gm, '')),
    ['JumpMissing'],
  )
})

test('compare: all chains gone', () => {
  const empty =
    '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n'
  assert.deepEqual(
    codesOf(() => empty),
    ['ProxyMissing'],
  )
})
