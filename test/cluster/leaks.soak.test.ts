// A hundred clusters, one after the other, each with pods, Services and a volume on a loop device: the machine is the same
// after them.
import * as assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { isAlive } from '#kernel/process.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { inhabitants } from '#lab/inhabitants.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { fairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['conmon', 'crun', 'mkfs.ext4'] })
const rounds = 100
const name = `t-leaks-${process.pid}`
const files = ['hostnames', 'claim-local', 'load-balancer'].flatMap((file) => ['-f', `examples/${file}.yaml`])
after(() => {
  if (skip === false) fairway(['down', '--name', name])
})

test(`${rounds} rounds of up and down leave nothing`, { skip, timeout: rounds * 60_000 }, () => {
  const before = machineState(name)
  for (let round = 0; round < rounds; round++) {
    const { status, stderr } = fairway(['up', '--name', name, '--nodes', '2', ...files])
    assert.equal(status, 0, `round ${round}: ${stderr}`)
    assert.equal(machineState(name).loops.length, 1, `round ${round}`)
    const processes = inhabitants(requireCluster(name).paths)
    assert.ok(processes.length > 12, `round ${round}: ${processes.length} processes`)
    assert.equal(fairway(['down', '--name', name]).status, 0, `round ${round}`)
    assert.deepEqual(machineState(name), before, `round ${round}`)
    assert.deepEqual(processes.filter(isAlive), [], `round ${round}`)
  }
})
