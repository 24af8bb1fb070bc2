// kill -9 at random moments of work, stop and start: of the command, of the server, of a node, of everything. No write that
// was acknowledged is lost, `start` repairs, `down` leaves nothing. `npm run soak` does it 200 times.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { configMaps } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { identify, type ProcessIdentity, signalProcess, whenExited } from '#kernel/process.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { inhabitants } from '#lab/inhabitants.ts'
import { runningProcesses } from '#lab/processes.ts'
import { machineState } from '#test/cluster/leftovers.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { startFairway } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
const rounds = process.env['FAIRWAY_SOAK'] ? 200 : 10
const seed = Number(process.env['FAIRWAY_SEED'] ?? 7)
let live: LiveCluster
let clean: ReturnType<typeof machineState>
const picture = () => machineState(`t-kills-${process.pid}`)
before(() => {
  if (skip !== false) return
  clean = picture()
  live = new LiveCluster('kills', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
})
after(() => live?.down())

const moments = ['work', 'stop', 'start'] as const
const victims = ['command', 'control-plane', 'node-1', 'everything'] as const
type Victim = (typeof victims)[number]

/** Names of objects that the server has acknowledged, until it does not answer any more. */
async function write(round: number, acknowledged: string[], signal: AbortSignal): Promise<void> {
  const client = connect(loadKubeconfig(live.env['KUBECONFIG']!))
  for (let i = 0; !signal.aborted; i++) {
    const name = `round-${round}-${i}`
    try {
      await client.create(configMaps, { metadata: { name } }, { namespace: 'default', signal })
    } catch {
      return
    }
    acknowledged.push(name)
  }
}

async function kill(victim: Victim, command: ProcessIdentity | undefined): Promise<void> {
  const { paths } = requireCluster(live.name)
  const found =
    victim === 'command'
      ? [command]
      : victim === 'everything'
        ? [command, ...inhabitants(paths)]
        : [runningProcesses(paths).get(victim)]
  const identities = found.filter((one) => one !== undefined)
  for (const identity of identities) signalProcess(identity, 'SIGKILL')
  await Promise.all(identities.map(whenExited))
}

test(`${rounds} kills`, { skip, timeout: rounds * 60_000 }, async () => {
  const random = seeded(seed)
  const acknowledged: string[] = []
  for (let round = 0; round < rounds; round++) {
    const moment = moments[round % moments.length]!
    const victim = victims[random.integer(moment === 'work' ? 1 : 0, victims.length - 1)]!
    const afterMs = random.integer(0, moment === 'work' ? 400 : 1500)
    const label = `seed ${seed}, round ${round}: ${victim} after ${afterMs} ms of ${moment}`
    const stop = new AbortController()
    const writing = write(round, acknowledged, stop.signal)
    if (moment === 'start') assert.equal(live.fairway('stop', '--grace-period', '0s').status, 0, label)
    const child = moment === 'work' ? undefined : startFairway([moment, '--name', live.name])
    const ended = new Promise<void>((resolve) => (child ? child.on('exit', () => resolve()) : resolve()))
    await sleep(afterMs)
    await kill(victim, child?.pid === undefined ? undefined : identify(child.pid))
    if (victim !== 'command' && victim !== 'everything') await ended
    stop.abort()
    await writing
    const { status, stderr } = live.fairway('start')
    assert.equal(status, 0, `${label}: ${stderr}`)
    const names = new Set(live.value('.items[*].metadata.name', 'configmaps').split(' '))
    assert.deepEqual(
      acknowledged.filter((name) => !names.has(name)),
      [],
      label,
    )
    await until(() =>
      assert.match(live.sh('client', 'curl -sS -m 3 http://10.168.0.3:30225/').text, /^hostnames-/, label),
    )
  }
  assert.ok(acknowledged.length > rounds, `only ${acknowledged.length} writes`)
  assert.equal(live.fairway('down').status, 0)
  assert.deepEqual(picture(), clean)
})
