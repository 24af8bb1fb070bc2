// Client libraries, unmodified: @kubernetes/client-node from npm, python3-kubernetes from Debian. What does not work is listed
// in src/apiserver/README.md, and here with its reason.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as k8s from '@kubernetes/client-node'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'iptables', 'python3'] })
const python = '/usr/lib/python3/dist-packages/kubernetes'
const namespace = 'default'

let live: LiveCluster
let folder: string
let config: k8s.KubeConfig
let core: k8s.CoreV1Api

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: python
      image: x
      stdin: true
      workingDir: /srv
      command: [sh, -c, 'echo welcome > index.html; echo ready; python3 -m http.server --bind 127.0.0.1 8080 2> /dev/null & exec cat']
---
apiVersion: v1
kind: Pod
metadata: {name: short}
spec:
  restartPolicy: Never
  containers: [{name: one, image: x, command: [sh, -c, 'echo first; sleep 4; echo last']}]
`

before(() => {
  if (skip !== false) return
  folder = mkdtempSync(join(tmpdir(), 'fairway-clients-'))
  live = new LiveCluster('clients', ['--nodes', '1'])
  assert.equal(live.tryKubectl(['apply', '-f', '-'], pod).status, 0)
  live.kubectl('wait', '--for=condition=Ready', 'pod/server', '--timeout=30s')
  config = new k8s.KubeConfig()
  config.loadFromFile(live.env['KUBECONFIG']!)
  core = config.makeApiClient(k8s.CoreV1Api)
})
after(() => {
  live?.down()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

/** A stream that remembers what was written to it. */
function memory(): PassThrough & { text(): string } {
  let text = ''
  const stream = new PassThrough().on('data', (data: Buffer) => (text += data.toString()))
  return Object.assign(stream, { text: () => text })
}

describe('@kubernetes/client-node', { skip }, () => {
  test('create, read, list in pages, replace, delete', async () => {
    for (const n of [1, 2, 3, 4, 5])
      await core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name: `m${n}`, labels: { set: 'm' } }, data: { n: String(n) } },
      })
    const names: (string | undefined)[] = []
    let token: string | undefined
    do {
      const page = await core.listNamespacedConfigMap({
        namespace,
        labelSelector: 'set=m',
        limit: 2,
        ...(token && { _continue: token }),
      })
      names.push(...page.items.map(({ metadata }) => metadata?.name))
      token = page.metadata?._continue
    } while (token)
    assert.deepEqual(names, ['m1', 'm2', 'm3', 'm4', 'm5'])
    const found = await core.readNamespacedConfigMap({ namespace, name: 'm1' })
    assert.ok(found.metadata?.creationTimestamp instanceof Date)
    await core.replaceNamespacedConfigMap({ namespace, name: 'm1', body: { ...found, data: { n: 'new' } } })
    await assert.rejects(
      core.replaceNamespacedConfigMap({ namespace, name: 'm1', body: found }),
      (error: k8s.ApiException<string>) => error.code === 409,
    )
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'set=m' })
    await assert.rejects(
      core.readNamespacedConfigMap({ namespace, name: 'm1' }),
      (error: k8s.ApiException<string>) => error.code === 404,
    )
  })

  test('patches of all kinds', async () => {
    const apps = config.makeApiClient(k8s.AppsV1Api)
    const labels = { app: 'patched' }
    const spec = {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'one', image: 'pause' }] } },
    }
    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'patched' }, spec } })
    const patch = (body: unknown, kind: k8s.PatchStrategy) =>
      apps.patchNamespacedDeployment(
        {
          namespace,
          name: 'patched',
          body,
          ...(kind === k8s.PatchStrategy.ServerSideApply && { fieldManager: 'me', force: true }),
        },
        k8s.setHeaderOptions('Content-Type', kind),
      )
    const strategic = { spec: { template: { spec: { containers: [{ name: 'two', image: 'pause' }] } } } }
    const both = await patch(strategic, k8s.PatchStrategy.StrategicMergePatch)
    assert.deepEqual(both.spec?.template.spec?.containers.map(({ name }) => name).toSorted(), ['one', 'two'])
    const one = await patch(
      { spec: { template: { spec: { containers: [{ name: 'one', image: 'pause' }] } } } },
      k8s.PatchStrategy.MergePatch,
    )
    assert.equal(one.spec?.template.spec?.containers.length, 1)
    const two = await patch([{ op: 'replace', path: '/spec/replicas', value: 2 }], k8s.PatchStrategy.JsonPatch)
    assert.equal(two.spec?.replicas, 2)
    const applied = await patch(
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'patched' }, spec: { ...spec, replicas: 3 } },
      k8s.PatchStrategy.ServerSideApply,
    )
    assert.equal(applied.spec?.replicas, 3)
    assert.ok(
      applied.metadata?.managedFields?.some(({ manager, operation }) => manager === 'me' && operation === 'Apply'),
    )
    await apps.deleteNamespacedDeployment({ namespace, name: 'patched', propagationPolicy: 'Foreground' })
  })

  test('watch, and an informer that goes on after its connection is cut', async () => {
    const seen: string[] = []
    const watching = await new k8s.Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { labelSelector: 'set=w' },
      (type: string, object: k8s.V1ConfigMap) => seen.push(`${type} ${object.metadata?.name}`),
      () => undefined,
    )
    const known = new Set<string>()
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'set=w' })
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, 'set=w')
    informer.on('add', ({ metadata }) => known.add(metadata!.name!))
    informer.on('delete', ({ metadata }) => known.delete(metadata!.name!))
    const over = new AbortController()
    informer.on('error', () => void sleep(50).then(() => (over.signal.aborted ? undefined : informer.start())))
    await informer.start()
    const make = (name: string) =>
      core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels: { set: 'w' } } } })
    await make('w1')
    await core.patchNamespacedConfigMap(
      { namespace, name: 'w1', body: { data: { a: 'b' } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    )
    await until(() => assert.deepEqual([...known], ['w1']))
    await core.deleteNamespacedConfigMap({ namespace, name: 'w1' })
    await until(() => assert.deepEqual(seen, ['ADDED w1', 'MODIFIED w1', 'DELETED w1']))
    await until(() => assert.deepEqual([...known], []))
    await informer.stop()
    await informer.start()
    await make('w2')
    await until(() => assert.deepEqual([...known], ['w2']))
    over.abort()
    await informer.stop()
    watching.abort()
    await core.deleteNamespacedConfigMap({ namespace, name: 'w2' })
  })

  test('exec: both outputs, input, the exit code; a terminal and its size', async () => {
    const exec = new k8s.Exec(config)
    const [out, err] = [memory(), memory()]
    const status = await new Promise<k8s.V1Status>((resolve, reject) => {
      const command = ['sh', '-c', 'cat; echo no >&2; exit 4']
      exec
        .exec(namespace, 'server', 'python', command, out, err, Readable.from(['through']), false, resolve)
        .catch(reject)
    })
    await until(() => assert.deepEqual([out.text(), err.text()], ['through', 'no\n']))
    assert.equal(status.reason, 'NonZeroExitCode')
    assert.equal(status.details?.causes?.[0]?.message, '4')
    const screen = Object.assign(memory(), { rows: 31, columns: 97 })
    const ended = new Promise<k8s.V1Status>((resolve, reject) => {
      const command = ['sh', '-c', 'until stty size | grep -v "^0 0"; do sleep 0.1; done']
      exec.exec(namespace, 'server', 'python', command, screen, null, new PassThrough(), true, resolve).catch(reject)
    })
    assert.equal((await ended).status, 'Success')
    assert.match(screen.text(), /31 97/)
  })

  test('an ephemeral container sees the processes of the one that it is to look at', async () => {
    const debug = {
      name: 'debug',
      image: 'x',
      command: ['sh', '-c', 'cat /proc/1/cmdline'],
      targetContainerName: 'python',
    }
    await core.patchNamespacedPodEphemeralcontainers(
      { namespace, name: 'server', body: { spec: { ephemeralContainers: [debug] } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
    )
    await until(() => {
      const state = '{.status.ephemeralContainerStatuses[0].state.terminated.exitCode}'
      assert.equal(live.value(state.slice(1, -1), 'pod', 'server'), '0')
    })
    assert.equal(live.kubectl('logs', 'server', '-c', 'debug'), 'cat\0')
    assert.equal(live.value('.status.phase', 'pod', 'server'), 'Running')
  })

  test('attach', async () => {
    const [out, input] = [memory(), new PassThrough()]
    const socket = await new k8s.Attach(config).attach(namespace, 'server', 'python', out, null, input, false)
    input.write('echoed\n')
    await until(() => assert.equal(out.text(), 'echoed\n'))
    socket.close()
  })

  test('logs, followed to their end', async () => {
    const [out, ended] = [memory(), Promise.withResolvers<void>()]
    out.on('end', () => ended.resolve())
    await new k8s.Log(config).log(namespace, 'short', 'one', out, { follow: true, timestamps: false })
    await ended.promise
    assert.equal(out.text(), 'first\nlast\n')
  })

  test('cp, there and back', async () => {
    const cp = new k8s.Cp(config)
    mkdirSync(join(folder, 'out'))
    writeFileSync(join(folder, 'out', 'sent'), 'content'.repeat(10_000))
    await cp.cpToPod(namespace, 'server', 'python', join(folder, 'out'), '/srv')
    await until(() => assert.match(live.kubectl('exec', 'server', '--', 'sh', '-c', 'wc -c /srv/sent'), /^70000 /))
    live.kubectl('exec', 'server', '--', 'sh', '-c', 'yes content | head -c 50000 > /srv/back')
    await cp.cpFromPod(namespace, 'server', 'python', 'back', folder, '/srv')
    // Its promise resolves at the start.
    await until(() => assert.equal(readFileSync(join(folder, 'back')).length, 50_000))
  })

  test('port-forward', async () => {
    const forward = new k8s.PortForward(config)
    let forwarded: Awaited<ReturnType<typeof forward.portForward>> | undefined
    const server = createServer(async (socket) => {
      forwarded = await forward.portForward(namespace, 'server', [8080], socket, null, socket)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const answer = memory()
    socket.pipe(answer)
    socket.write('GET / HTTP/1.0\r\n\r\n')
    await until(() => assert.match(answer.text(), /welcome\n$/))
    socket.destroy()
    server.close()
    if (typeof forwarded === 'object') forwarded.close()
  })

  test('other things: objects of any kind, health, versions, events', async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config)
    const made: k8s.KubernetesObject = await objects.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'any', namespace },
    })
    assert.ok(made.metadata?.uid)
    assert.equal(
      (await objects.list('v1', 'ConfigMap', namespace)).items.some((one) => one.metadata?.name === 'any'),
      true,
    )
    await objects.delete(made)
    assert.equal(await new k8s.Health(config).readyz({}), true)
    assert.equal((await config.makeApiClient(k8s.VersionApi).getCode()).minor, '36')
    assert.ok((await config.makeApiClient(k8s.EventsV1Api).listNamespacedEvent({ namespace })).items.length > 0)
  })
})

test('python3-kubernetes', { skip: skip || need({ files: [python] }) }, async (context) => {
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['test/cluster/testdata/client.py'], {
    encoding: 'utf8',
    env: { ...process.env, ...live.env },
    timeout: 100_000,
  })
  const lines = stdout.trim().split('\n')
  assert.ok(lines.length > 10, stderr)
  for (const line of lines)
    await context.test(line.split(' ').slice(0, 2).join(' '), () => assert.match(line, /^ok /, `${line}\n${stderr}`))
})
