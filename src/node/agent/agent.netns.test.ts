import * as assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { configMaps, events, nodes, pods, services, type Container, type Pod, type PodSpec } from '#api/core.ts'
import { leases } from '#api/coordination.ts'
import { isNotFound } from '#client/client.ts'
import { fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { agentDefaults } from '#node/defaults.ts'
import { run } from '#node/main.ts'
import { needOwnNetwork } from '#node/testing/own-network.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { need } from '#test/need.ts'
import { until, untilSeen } from '#test/until.ts'

const skip = need({ root: true, programs: ['conmon', 'crun', 'python3'] }) || needOwnNetwork()
const root = mkdtempSync(join(tmpdir(), 'fairway-agent-'))
const runDir = `/run/fairway-agent-${process.pid}`
const client = fakeClient()
const authority = createAuthority({ commonName: 'test' })
const admin = issueCertificate(authority, {
  commonName: 'admin',
  organizations: ['system:masters'],
  usages: ['client'],
})
const stranger = issueCertificate(authority, { commonName: 'someone', usages: ['client'] })

let stop = new AbortController()
let running: Promise<void> = Promise.resolve()

function start(): void {
  stop = new AbortController()
  const context = { signal: stop.signal, log: silentLog, clock: systemClock, registry: createRegistry() }
  running = run(
    {
      ...agentDefaults,
      client,
      nodeName: 'node-1',
      nodeIps: ['127.0.0.1'],
      rootDir: root,
      runDir,
      secretDirs: [],
      clientCa: authority.cert,
      healthz: undefined,
      hairpinMode: 'hairpin-veth',
      subnetFile: undefined,
      parts: [
        {
          name: 'kube-proxy',
          command: ['fairway', 'proxy'],
          logPath: '/dev/null',
          startedAtMs: 0,
          problem: () => undefined,
        },
      ],
    },
    context,
  )
}

before(() => {
  if (skip) return
  client.seed(services, {
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.96.0.1', ports: [{ port: 443 }] },
  })
  start()
})
after(async () => {
  if (skip) return
  for (const pod of client.all(pods)) await remove(pod.metadata!.name!, 0)
  await untilSeen(() =>
    client.all(pods).every(({ metadata }) => metadata?.annotations?.['kubernetes.io/config.mirror']),
  )
  await untilSeen(() => readdirSync(`${runDir}/containers`).length === 0)
  stop.abort()
  await running
  rmSync(root, { recursive: true, force: true })
})

async function create(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): Promise<void> {
  await client.create(pods, {
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: 'node-1',
      terminationGracePeriodSeconds: 5,
      enableServiceLinks: true,
      ...spec,
      containers: [{ name: 'main', image: 'busybox', ...container }],
    },
  })
}
const find = (name: string): Pod | undefined => client.all(pods).find(({ metadata }) => metadata?.name === name)
const statusOf = (name: string) => find(name)?.status
const mainOf = (name: string) => statusOf(name)?.containerStatuses?.[0]
const isReady = (name: string) => statusOf(name)?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
const reasonsAbout = (name: string) =>
  client.all(events).flatMap(({ involvedObject, reason }) => (involvedObject.name === name ? [reason] : []))
const remove = (name: string, gracePeriodSeconds?: number) =>
  client
    .delete(pods, name, { namespace: 'default', ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) })
    .catch((error) => {
      if (!isNotFound(error)) throw error
    })

function ask(path: string, identity: { readonly cert: string; readonly key: string } | undefined) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port: 10250,
      path,
      ...identity,
      rejectUnauthorized: false,
      agent: false,
    })
    asked.on('error', reject)
    asked.on('response', async (response) => {
      const parts: Buffer[] = []
      for await (const part of response) parts.push(part as Buffer)
      resolve({ status: response.statusCode!, body: Buffer.concat(parts).toString() })
    })
    asked.end()
  })
}

test('the node makes itself known, and is ready once it has its pod CIDR', { skip }, async () => {
  const ready = () => client.all(nodes)[0]?.status?.conditions?.find(({ type }) => type === 'Ready')
  await untilSeen(() => ready()?.status === 'False')
  await client.patch(
    nodes,
    'node-1',
    { spec: { podCIDR: '10.244.7.0/24', podCIDRs: ['10.244.7.0/24'] } },
    { type: 'merge' },
  )
  await untilSeen(() => ready()?.status === 'True')
  await untilSeen(() => client.all(leases).find(({ metadata }) => metadata?.namespace === 'kube-node-lease'))
  const mirror = await untilSeen(() => statusOf('kube-proxy-node-1')?.phase === 'Running' && find('kube-proxy-node-1'))
  assert.equal(mirror.metadata?.annotations?.['kubernetes.io/config.mirror'], 'fairway-kube-proxy')
})

test('a pod runs, is told of, and its log is shown to those who may', { skip }, async () => {
  await create('web', { command: ['sh', '-c', 'echo "hello $KUBERNETES_SERVICE_HOST $(hostname)"; sleep 1000'] })
  await untilSeen(() => isReady('web'))
  assert.equal(statusOf('web')?.podIP, '10.244.7.2')
  assert.equal(statusOf('web')?.phase, 'Running')
  await untilSeen(() => reasonsAbout('web').includes('Started'))
  assert.deepEqual(reasonsAbout('web'), ['Pulled', 'Created', 'Started'])
  // It is there once the container runs; what it says comes a moment later.
  await until(async () => {
    const log = await ask('/containerLogs/default/web/main', admin)
    assert.deepEqual(log, { status: 200, body: 'hello 10.96.0.1 web\n' })
  })
  assert.equal((await ask('/pods', undefined)).status, 401)
  assert.equal((await ask('/pods', stranger)).status, 403)
  assert.equal((await ask('/containerLogs/default/nope/main', admin)).status, 404)
})

test('a probe decides on readiness, a change of a ConfigMap reaches the file', { skip }, async () => {
  client.seed(configMaps, { metadata: { name: 'flags', namespace: 'default' }, data: { ready: 'no' } })
  await create(
    'probed',
    {
      command: ['sleep', '1000'],
      volumeMounts: [{ name: 'flags', mountPath: '/flags' }],
      readinessProbe: {
        exec: { command: ['grep', '-q', 'yes', '/flags/ready'] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
    },
    { volumes: [{ name: 'flags', configMap: { name: 'flags' } }] },
  )
  await untilSeen(() => mainOf('probed')?.state?.running)
  assert.equal(isReady('probed'), false)
  await client.patch(configMaps, 'flags', { data: { ready: 'yes' } }, { type: 'merge', namespace: 'default' })
  await untilSeen(() => isReady('probed'))
  await client.patch(configMaps, 'flags', { data: { ready: 'no' } }, { type: 'merge', namespace: 'default' })
  await untilSeen(() => !isReady('probed'))
  assert.equal(mainOf('probed')?.restartCount, 0)
  await remove('probed', 0)
})

test('what cannot run says why', { skip }, async () => {
  await create('no-image', { image: 'mysql:8' })
  await create('no-config', { command: ['true'], envFrom: [{ configMapRef: { name: 'missing' } }] })
  await create('no-program', { command: ['/no/such'] })
  await create('no-volume', { command: ['true'] }, { volumes: [{ name: 'v', secret: { secretName: 'missing' } }] })
  const waits = (name: string, reason: string) => untilSeen(() => mainOf(name)?.state?.waiting?.reason === reason)
  await waits('no-image', 'ErrImagePull')
  await waits('no-config', 'CreateContainerConfigError')
  await waits('no-program', 'CreateContainerError')
  await untilSeen(() => reasonsAbout('no-volume').includes('FailedMount'))
  assert.equal(mainOf('no-volume')?.state?.waiting?.reason, 'ContainerCreating')
  for (const name of ['no-image', 'no-config', 'no-program', 'no-volume']) await remove(name)
  await untilSeen(() => !find('no-volume') && !find('no-program'))
})

test('it ends by itself, with last words; another crashes and waits', { skip }, async () => {
  await create('once', { command: ['sh', '-c', 'echo bye > /dev/termination-log'] }, { restartPolicy: 'Never' })
  await create('crash', { command: ['sh', '-c', 'exit 3'] })
  await untilSeen(() => statusOf('once')?.phase === 'Succeeded')
  assert.equal(mainOf('once')?.state?.terminated?.message, 'bye\n')
  await untilSeen(() => mainOf('crash')?.state?.waiting?.reason === 'CrashLoopBackOff')
  assert.equal(mainOf('crash')?.restartCount, 1)
  assert.equal(mainOf('crash')?.lastState?.terminated?.exitCode, 3)
  await remove('once')
})

test('another agent takes up what runs, and what ended meanwhile', { skip }, async () => {
  await create('lasting', {
    command: ['sleep', '1000'],
    readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
  })
  await create('ending', { command: ['sh', '-c', 'sleep 0.5; exit 7'] }, { restartPolicy: 'Never' })
  await untilSeen(() => isReady('lasting') && mainOf('ending')?.state?.running)
  const id = mainOf('lasting')?.containerID
  stop.abort()
  await running
  await systemClock.sleep(600)
  start()
  await untilSeen(() => statusOf('ending')?.phase === 'Failed')
  assert.equal(mainOf('ending')?.state?.terminated?.exitCode, 7)
  assert.deepEqual([mainOf('lasting')?.containerID, mainOf('lasting')?.restartCount, isReady('lasting')], [id, 0, true])
  await remove('ending')
})

test('deleting: the hook, the signal, the grace period; force is quick', { skip }, async () => {
  const command = ['sh', '-c', 'trap "echo term; exit 0" TERM; echo up; while :; do sleep 0.02; done']
  await create('polite', {
    command,
    lifecycle: { preStop: { exec: { command: ['sh', '-c', 'echo hook > /proc/1/fd/1'] } } },
  })
  await create('deaf', { command: ['sleep', '1000'] }, { terminationGracePeriodSeconds: 60 })
  await untilSeen(() => isReady('polite') && isReady('deaf'))
  const log = ask('/containerLogs/default/polite/main?follow=true', admin)
  await remove('polite')
  await remove('deaf')
  await untilSeen(() => !find('polite'))
  assert.equal((await log).body, 'up\nhook\nterm\n')
  assert.ok(find('deaf'), 'a container that does not listen to the signal has its whole grace period')
  await remove('deaf', 1)
  await untilSeen(() => !find('deaf'))
})
