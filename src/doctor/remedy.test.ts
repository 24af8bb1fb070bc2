// Remedies as commands: for a cluster of ours, for any other, and for one machine of which there is but a dump.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { diagnose } from '#doctor/diagnose.ts'
import { type ClusterKind, deletionOf, onNode, renderRemedy, restart, script } from '#doctor/remedy.ts'
import { reportDocument } from '#doctor/report.ts'
import { readView } from '#doctor/view.ts'
import { type Change, changed, edit, put } from '#test/doctor-snapshot.ts'

for (const [cluster, want] of [
  [
    'fairway',
    [
      'fairway exec node/a -- sysctl -w x=1   # why',
      'fairway node kill a --part proxy; fairway node start a --part proxy',
    ],
  ],
  [
    'kubernetes',
    [
      'kubectl debug node/a -it --profile=sysadmin --image=busybox -- chroot /host sysctl -w x=1   # why',
      'kubectl delete pod -n kube-system -l k8s-app=kube-proxy --field-selector spec.nodeName=a',
    ],
  ],
  [
    'machine',
    ['sysctl -w x=1   # why', 'kubectl delete pod -n kube-system -l k8s-app=kube-proxy   # the one of this node'],
  ],
] as const satisfies readonly (readonly [ClusterKind, readonly string[]])[])
  test(`remedy: in a cluster of kind ${cluster}`, () => {
    const remedies = [onNode('a', 'sysctl -w x=1', 'why'), ...restart('proxy', ['a'])]
    assert.deepEqual(
      remedies.map((one) => renderRemedy(one, cluster)),
      want,
    )
  })

const step = { machine: 'a', matched: [], effect: '', weight: 'act' } as const

test('remedy: the command that takes a rule away', () => {
  const rule = '-A PREROUTING -d 192.0.2.1/32 -m comment --comment "by hand" -j DROP'
  const of = (file: string) => deletionOf({ ...step, place: 'nat prerouting', rule, origin: { file, line: 1 } })
  const words = '-t nat -D PREROUTING -d 192.0.2.1/32 -m comment --comment "by hand" -j DROP'
  assert.equal(of('nodes/a/iptables-save.txt'), `iptables ${words}`)
  assert.equal(of('nodes/a/ip6tables-save.txt'), `ip6tables ${words}`)
  assert.equal(of('nodes/a/iptables-legacy-save.txt'), `iptables-legacy ${words}`)
  assert.equal(
    deletionOf({ ...step, place: 'inet site forward', chain: 'pre', rule: 'drop', handle: 7 }),
    'nft delete rule inet site pre handle 7',
  )
  assert.equal(deletionOf({ ...step, place: 'inet site forward', chain: 'pre', rule: 'drop' }), undefined)
  assert.equal(deletionOf({ ...step, place: 'filter forward', rule: '-P FORWARD DROP' }), undefined)
})

const remediesOf = (...changes: readonly Change[]) =>
  (
    reportDocument(diagnose(readView(changed(...changes)))).findings as readonly {
      readonly remedy: readonly string[]
    }[]
  ).flatMap(({ remedy }) => remedy)

test('remedy: rules left over are those that do not do what the objects demand', () => {
  const old = put(
    'nodes/node-1/nft.txt',
    'table ip kube-proxy {\n\tchain services {\n\t\tip daddr 10.104.48.131 tcp dport 80 accept\n\t}\n}\n',
  )
  assert.deepEqual(remediesOf(old), [`fairway exec node/node-1 -- ${script('nft delete table ip kube-proxy')}`])
})

test('remedy: in a cluster that is not ours, by kubectl', () => {
  const theirs = edit('nodes.json', 'v1.36.2-fairway', 'v1.36.2')
  assert.deepEqual(
    remediesOf(theirs, edit('node-1/sysctl.txt', 'net.ipv4.ip_forward = 1', 'net.ipv4.ip_forward = 0')),
    [
      'kubectl debug node/node-1 -it --profile=sysadmin --image=busybox -- chroot /host sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1',
    ],
  )
})
