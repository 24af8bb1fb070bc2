// What the machine itself may have set up: a firewall, Docker's policy. The cluster works beside it, or says what is in the way.
import * as assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { fairway, run } from '#test/fairway.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['conmon', 'crun', 'iptables', 'kubectl', 'curl'] })
const name = `t-wall-${process.pid}`
const words = ['--nodes', '2', '-f', 'examples/hostnames.yaml']

/** These tests run in a network namespace of their own: it is not this machine's firewall. */
const iptables = (...rule: string[]) => run(['iptables', ...rule])
function open(): void {
  for (const chain of ['INPUT', 'FORWARD', 'OUTPUT']) iptables('-P', chain, 'ACCEPT')
  iptables('-F')
}
if (skip === false) {
  before(open)
  afterEach(open)
  after(() => fairway(['down', '--name', name]))
}

test('with Docker’s FORWARD policy and a firewall that lets answers in, all of it works', { skip }, () => {
  iptables('-P', 'FORWARD', 'DROP')
  iptables('-P', 'INPUT', 'DROP')
  iptables('-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT')
  iptables('-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT')
  const live = new LiveCluster('wall', words)
  try {
    assert.match(live.shown, /http:\/\/10.168.0.3:30225\/ +client \(203.0.113.10\) +hostnames-/)
    assert.equal(live.fairway('status').status, 0)
    assert.match(run(['curl', '-sS', '-m', '5', 'http://10.168.0.2:30225/']), /^hostnames-/)
    assert.match(live.kubectl('logs', '-l', 'app=hostnames', '--tail=1', '--prefix'), /hostnames/)
  } finally {
    live.down()
  }
})

for (const [what, rules, why] of [
  ['drops what comes in', [['-P', 'INPUT', 'DROP']], 'no answer'],
  ['rejects what goes out', [['-A', 'OUTPUT', '-j', 'REJECT']], 'no answer'],
] as const)
  test(`a firewall that ${what} is named, with what would let the cluster through`, { skip }, () => {
    for (const rule of rules) iptables(...rule)
    const before = machineState(name)
    const { status, stderr } = fairway(['up', '--name', name, '--nodes', '1'])
    assert.equal(status, 1)
    const [, reason, remedy] =
      /cannot reach the cluster at 10\.168\.0\.250 \((.+)\), though .* a firewall of this machine is in the way\n.*example: (.*)/.exec(
        stderr,
      ) ?? []
    assert.equal(reason, why, stderr)
    assert.deepEqual(machineState(name), before)
    run(['sh', '-c', remedy!])
    const again = fairway(['up', '--name', name, '--nodes', '1'])
    assert.equal(again.status, 0, again.stderr)
    assert.equal(fairway(['down', '--name', name]).status, 0)
  })
