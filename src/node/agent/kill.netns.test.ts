import * as assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pods, type Pod } from '#api/core.ts'
import { isPodReady } from '#api/pod-state.ts'
import { connect, isNotFound, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { openSandboxRuntime } from '#node/sandbox/open-runtime.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { noTraces, observeTraces, type Traces } from '#node/testing/traces.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['conmon', 'crun'] }) || needOwnNetwork()
const root = mkdtempSync(join(tmpdir(), 'fairway-kill-'))
const kills = process.env['FAIRWAY_SOAK'] ? 200 : 10
const children: ChildProcess[] = []
const program = [process.execPath, '--disable-warning=ExperimentalWarning', 'src/cli/main.ts'] as const

after(async () => {
  for (const child of children) child.kill('SIGKILL')
  if (!skip) {
    const folders = {
      stateFolder: `${root}/node/runtime`,
      runFolder: '/run/fairway-node',
      secretFolders: [],
      imageFolder: undefined,
    }
    const runtime = await openSandboxRuntime({ ...folders, clock: systemClock, log: silentLog })
    for (const { id } of runtime.listPodSandboxes()) await runtime.removePodSandbox(id)
  }
  rmSync(root, { recursive: true, force: true })
})

function start(...words: readonly string[]): ChildProcess {
  const child = spawn(program[0], [...program.slice(1), ...words], { stdio: ['ignore', 'inherit', 'pipe'] })
  children.push(child)
  return child
}

/** A control plane with its own certificates; answers the path of its kubeconfig. */
function startControlPlane(): Promise<string> {
  const child = start('control-plane', '--bind-address=127.0.0.1', '--secure-port=0', `--data-file=${root}/store.db`)
  let said = ''
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (text) => {
      said += String(text)
      const path = /KUBECONFIG=(\S+)/.exec(said)?.[1]
      if (path) resolve(path)
    })
    child.on('exit', () => reject(new Error(said)))
  })
}

function startAgent(kubeconfig: string): ChildProcess {
  const child = start(
    'node',
    '--parts=agent',
    `--kubeconfig=${kubeconfig}`,
    '--node-name=node-1',
    '--node-ip=127.0.0.1',
    `--root-dir=${root}/node`,
  )
  child.stderr!.on('data', () => undefined)
  return child
}

const makePod = (name: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName: 'node-1',
    terminationGracePeriodSeconds: 0,
    tolerations: [{ operator: 'Exists' }],
    containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'] }],
  },
})

const traces = () => observeTraces(`${root}/node/runtime`, '/run/fairway-node')
const isSame = (a: Traces, b: Traces) => JSON.stringify(a) === JSON.stringify(b)

async function list(client: Client): Promise<readonly Pod[]> {
  return (await client.list(pods, { namespace: 'default' })).items
}

test(
  `an agent killed ${kills} times at random loses nothing and leaves nothing`,
  { skip, timeout: 600_000 },
  async () => {
    const seed = Number(process.env['FAIRWAY_SEED'] ?? 1)
    const random = seeded(seed)
    const kubeconfig = await startControlPlane()
    const client = connect(loadKubeconfig(kubeconfig))
    let agent = startAgent(kubeconfig)
    const wanted = new Set<string>()
    for (let round = 0; round < kills; round++) {
      for (let n = random.integer(1, 3); n > 0; n--) {
        const name = `pod-${round}-${n}`
        await client.create(pods, makePod(name))
        wanted.add(name)
      }
      for (const name of [...wanted].filter(() => random.integer(1, 4) === 1)) {
        await client
          .delete(pods, name, { namespace: 'default' })
          .catch((error: unknown) => assert.ok(isNotFound(error)))
        wanted.delete(name)
      }
      await systemClock.sleep(round === 0 ? 700 : random.integer(0, 399))
      agent.kill('SIGKILL')
      agent = startAgent(kubeconfig)
    }
    const whole = async () => {
      const all = await list(client)
      return all.length === wanted.size && all.every((pod) => wanted.has(pod.metadata!.name!) && isPodReady(pod))
    }
    await until(async () => assert.ok(await whole(), `seed ${seed}: every wanted pod is ready, and no other is there`))
    const all = await list(client)
    assert.deepEqual(
      all
        .filter(({ status }) => status?.containerStatuses?.[0]?.restartCount !== 0)
        .map(({ metadata }) => metadata?.name),
      [],
      `seed ${seed}: a container that never ended was never restarted`,
    )
    assert.equal(new Set(all.map(({ status }) => status?.podIP)).size, all.length)
    const { size } = wanted
    const ofWanted = { links: size, pins: size, mounts: 2 * size, crun: size, processes: size, leases: size }
    await until(async () => assert.ok(isSame(traces(), ofWanted), `seed ${seed}: what is there belongs to wanted pods`))

    for (const name of wanted) await client.delete(pods, name, { namespace: 'default' })
    await until(async () => assert.ok((await list(client)).length === 0, 'all pods are gone'))
    await until(async () => assert.ok(isSame(traces(), noTraces), `seed ${seed}: nothing is left`))
    agent.kill('SIGTERM')
  },
)
