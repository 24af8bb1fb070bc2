// kubectl as people use it, on a cluster where pods really run. Besides the one on the PATH, those that FAIRWAY_KUBECTLS
// names (paths with colons) do the round of a Service's life.
import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { run } from '#test/fairway.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
const others = (process.env['FAIRWAY_KUBECTLS'] ?? '').split(':').filter((path) => path !== '')
let live: LiveCluster
let folder: string

before(() => {
  if (skip !== false) return
  folder = mkdtempSync(join(tmpdir(), 'fairway-kubectl-'))
  live = new LiveCluster('kubectl', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
})
after(() => {
  live?.down()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const lines = (text: string) => text.trimEnd().split('\n')
const firstPod = () => live.pods('app=hostnames')[0]!

/** kubectl in the background: what it prints, until it is ended. */
function follow(...words: readonly string[]) {
  const child = spawn('kubectl', words, { env: { ...process.env, ...live.env }, stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.on('data', (data) => (text += String(data)))
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return {
    text: () => text,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

test('get: tables, wide, yaml, json, names, columns, selectors', { skip }, () => {
  const nodes = lines(live.kubectl('get', 'nodes', '-o', 'wide'))
  assert.match(
    nodes[0]!,
    /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME$/,
  )
  assert.match(nodes[1]!, /^node-1 +Ready +<none> +\d+s +v1\.36\.\S+ +10\.168\.\d+\.2 +<none> /)
  const pods = lines(live.kubectl('get', 'pods', '-o', 'wide', '-l', 'app=hostnames'))
  assert.match(pods[0]!, /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/)
  for (const line of pods.slice(1))
    assert.match(line, /^hostnames-\w+-\w{5} +1\/1 +Running +0 +\d+s +10\.244\.[01]\.\d+ +node-[12] +<none> +<none>$/)
  assert.match(
    live.kubectl('get', 'svc', '-o', 'wide'),
    /^hostnames-nodeport +NodePort +10\.\d+\.\d+\.\d+ +<none> +80:30225\/TCP +\d+s +app=hostnames$/m,
  )
  assert.match(live.kubectl('get', 'deployment,rs'), /^deployment\.apps\/hostnames +3\/3 +3 +3 +\d+s$/m)
  assert.match(live.kubectl('get', 'svc', 'hostnames', '-o', 'yaml'), /^kind: Service$/m)
  assert.equal(JSON.parse(live.kubectl('get', 'svc', 'hostnames', '-o', 'json')).spec.ports[0].targetPort, 9376)
  assert.equal(live.kubectl('get', 'svc', 'hostnames', '-o', 'name'), 'service/hostnames\n')
  assert.match(
    live.kubectl('get', 'svc', '-o', 'custom-columns=N:.metadata.name,IP:.spec.clusterIP'),
    /^N +IP\nhostnames +10\./,
  )
  assert.equal(lines(live.kubectl('get', 'pods', '--field-selector', 'spec.nodeName=none', '-o', 'name'))[0], '')
  assert.match(
    live.kubectl('get', 'all'),
    /^service\/hostnames[^]*^deployment\.apps\/hostnames[^]*^replicaset\.apps\/hostnames-/m,
  )
})

test('get -w shows changes as they come', { skip }, async () => {
  await using watching = follow('get', 'services', '-w')
  await until(() => assert.match(watching.text(), /^hostnames +ClusterIP/m))
  live.kubectl('create', 'service', 'clusterip', 'watched', '--tcp=80:8080')
  await until(() => assert.match(watching.text(), /^watched +ClusterIP +10\.\S+ +<none> +80\/TCP/m))
  live.kubectl('delete', 'service', 'watched')
})

test('apply: created, unchanged, configured, by stdin, server-side, dry run', { skip }, () => {
  const service = (port: number) =>
    `---\n{apiVersion: v1, kind: Service, metadata: {name: applied}, spec: {selector: {app: hostnames}, ports: [{port: ${port}, targetPort: 9376}]}}`
  const apply = (port: number, ...words: string[]) =>
    live.tryKubectl(['apply', '-f', '-', ...words], service(port)).stdout.trim()
  assert.equal(apply(81, '--dry-run=server'), 'service/applied created (server dry run)')
  assert.equal(live.tryKubectl(['get', 'service', 'applied']).status, 1)
  assert.equal(apply(81), 'service/applied created')
  assert.equal(apply(81), 'service/applied unchanged')
  assert.equal(apply(82), 'service/applied configured')
  assert.equal(live.value('.spec.ports[*].port', 'service', 'applied'), '82')
  assert.equal(apply(82, '--server-side', '--force-conflicts'), 'service/applied serverside-applied')
  assert.match(live.tryKubectl(['diff', '-f', '-'], service(83)).stdout, /^-.*port: 82\n\+.*port: 83$/m)
  assert.equal(live.kubectl('delete', 'service', 'applied'), 'service "applied" deleted\n')
})

test('create -f, and what is there already', { skip }, () => {
  const path = file('cm.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {a: b}\n')
  assert.equal(live.kubectl('create', '-f', path), 'configmap/made created\n')
  const { status, stderr } = live.tryKubectl(['create', '-f', path])
  assert.deepEqual([status, /configmaps "made" already exists/.test(stderr)], [1, true])
  assert.equal(live.kubectl('delete', '-f', path), 'configmap "made" deleted\n')
  assert.match(
    live.tryKubectl(['get', 'cm', 'made']).stderr,
    /^Error from server \(NotFound\): configmaps "made" not found$/m,
  )
})

test('describe: Service, Pod, Node, Deployment', { skip }, () => {
  const addresses = live
    .pods('app=hostnames')
    .map(({ ip }) => `${ip}:9376`)
    .sort()
  const service = live.kubectl('describe', 'service', 'hostnames')
  assert.match(service, /^Selector: +app=hostnames\nType: +ClusterIP\nIP Family Policy: +SingleStack$/m)
  assert.deepEqual(/^Endpoints: +(\S+)$/m.exec(service)![1]!.split(',').sort(), addresses)
  const pod = live.kubectl('describe', 'pod', firstPod().name)
  assert.match(pod, /^Status: +Running$/m)
  assert.match(
    pod,
    /Normal +Pulled +\d+s +kubelet +Image "\S+serve_hostname" is not pulled: its built-in stand-in runs/,
  )
  assert.match(pod, /Normal +Started +\d+s +kubelet +Container started/)
  assert.match(live.kubectl('describe', 'node', 'node-1'), /^PodCIDR: +10\.244\.[01]\.0\/24$/m)
  assert.match(
    live.kubectl('describe', 'deployment', 'hostnames'),
    /^Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable$/m,
  )
})

test('label, annotate, patch, edit', { skip }, () => {
  const { name } = firstPod()
  assert.equal(live.kubectl('label', 'pod', name, 'tier=front'), `pod/${name} labeled\n`)
  assert.deepEqual(
    live.pods('tier=front').map((pod) => pod.name),
    [name],
  )
  assert.equal(live.kubectl('label', 'pod', name, 'tier-'), `pod/${name} unlabeled\n`)
  live.kubectl('annotate', 'service', 'hostnames', 'note=seen')
  assert.equal(live.value('.metadata.annotations.note', 'service', 'hostnames'), 'seen')
  live.kubectl('patch', 'service', 'hostnames', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}')
  assert.equal(live.value('.spec.sessionAffinityConfig.clientIP.timeoutSeconds', 'service', 'hostnames'), '10800')
  const editor = file('editor', '#!/bin/sh\nsed -i s/ClientIP/None/ "$1"\nsed -i /timeoutSeconds/d "$1"\n')
  chmodSync(editor, 0o755)
  const edited = live.tryKubectl(['edit', 'service', 'hostnames'], '', { EDITOR: editor })
  assert.equal(edited.stdout, 'service/hostnames edited\n', edited.stderr)
  assert.equal(live.value('.spec.sessionAffinity', 'service', 'hostnames'), 'None')
})

test('logs, logs -f, and of what was before', { skip }, async () => {
  live.tryKubectl(
    ['apply', '-f', '-'],
    `---\n{apiVersion: v1, kind: Pod, metadata: {name: talker}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: talker, image: x,
      command: [sh, -c, 'echo one; sleep 0.2; echo two >&2; exit 3']}]}}`,
  )
  await using following = follow('logs', '-f', '--pod-running-timeout=20s', firstPod().name)
  await until(() => assert.match(following.text(), /^Started HTTP server on port 9376$/m))
  await until(() => assert.equal(live.kubectl('logs', 'talker', '--previous'), 'one\ntwo\n'))
  assert.equal(live.kubectl('logs', firstPod().name, '--tail=1').split('\n').length, 2)
  await until(() => assert.match(live.kubectl('get', 'pod', 'talker'), /^talker +0\/1 +(CrashLoopBackOff|Error) +\d/m))
  live.kubectl('delete', 'pod', 'talker')
})

test('exec: output, input, exit code', { skip }, () => {
  const { name } = firstPod()
  assert.equal(live.kubectl('exec', name, '--', 'hostname'), `${name}\n`)
  assert.equal(live.tryKubectl(['exec', '-i', name, '--', 'cat'], 'through').stdout, 'through')
  assert.equal(live.tryKubectl(['exec', name, '--', 'sh', '-c', 'exit 7']).status, 7)
})

test('scale, rollout status, wait, rollout undo', { skip }, () => {
  assert.equal(live.kubectl('scale', 'deployment', 'hostnames', '--replicas=4'), 'deployment.apps/hostnames scaled\n')
  assert.match(
    live.kubectl('rollout', 'status', 'deployment', 'hostnames', '--timeout=30s'),
    /successfully rolled out\n$/,
  )
  live.kubectl('wait', '--for=condition=Available', 'deployment/hostnames', '--timeout=30s')
  live.kubectl('wait', '--for=condition=Ready', 'pod', '-l', 'app=hostnames', '--timeout=30s')
  assert.equal(live.value('.status.readyReplicas', 'deployment', 'hostnames'), '4')
  live.kubectl('set', 'image', 'deployment/hostnames', 'hostnames=agnhost')
  live.kubectl('rollout', 'status', 'deployment', 'hostnames', '--timeout=30s')
  live.kubectl('rollout', 'undo', 'deployment', 'hostnames')
  live.kubectl('rollout', 'status', 'deployment', 'hostnames', '--timeout=30s')
  assert.match(live.value('.spec.template.spec.containers[0].image', 'deployment', 'hostnames'), /serve_hostname$/)
  assert.match(live.kubectl('rollout', 'history', 'deployment', 'hostnames'), /^3 +<none>$/m)
})

test('delete: graceful, by selector, waiting until it is gone', { skip }, () => {
  live.tryKubectl(
    ['create', '-f', '-'],
    `---\n{apiVersion: v1, kind: Pod, metadata: {name: slow, labels: {app: slow}}, spec: {containers: [{name: slow, image: x,
      command: [sh, -c, 'trap "until test -e /go; do sleep 0.1; done; exit 0" TERM; while :; do sleep 0.1; done']}]}}`,
  )
  live.kubectl('wait', '--for=condition=Ready', 'pod/slow', '--timeout=30s')
  live.kubectl('delete', 'pod', 'slow', '--wait=false')
  assert.match(live.kubectl('get', 'pod', 'slow'), /^slow +1\/1 +Terminating /m)
  live.kubectl('exec', 'slow', '--', 'touch', '/go')
  live.kubectl('wait', '--for=delete', 'pod/slow', '--timeout=30s')
  live.kubectl('create', 'deployment', 'short', '--image=pause', '--replicas=2')
  live.kubectl('rollout', 'status', 'deployment', 'short', '--timeout=30s')
  live.kubectl('delete', 'deployment', 'short', '--cascade=foreground')
  assert.equal(live.kubectl('get', 'pods,rs', '-l', 'app=short', '-o', 'name'), '')
})

test('a namespace goes with all that is in it', { skip }, () => {
  live.kubectl('create', 'namespace', 'passing')
  live.kubectl('create', 'deployment', '-n', 'passing', 'short', '--image=pause')
  live.kubectl('expose', 'deployment', '-n', 'passing', 'short', '--port=80')
  live.kubectl('rollout', 'status', '-n', 'passing', 'deployment', 'short', '--timeout=30s')
  live.kubectl('delete', 'namespace', 'passing', '--timeout=30s')
  assert.equal(live.kubectl('get', 'all', '-n', 'passing', '-o', 'name'), '')
})

test('what no image can be found for says what to do', { skip }, async () => {
  live.kubectl('run', 'unknown', '--image=no-such-image')
  await until(() => assert.match(live.kubectl('get', 'pod', 'unknown'), /(ErrImagePull|ImagePullBackOff)/))
  assert.match(
    live.kubectl('describe', 'pod', 'unknown'),
    /no-such-image.* has no built-in stand-in .*give the container a command/,
  )
  live.kubectl('delete', 'pod', 'unknown', '--grace-period=0', '--force')
})

for (const kubectl of others)
  test(`the life of a Service by ${basename(kubectl)}`, { skip }, () => {
    const ask = (...words: string[]) => run([kubectl, ...words], live.env)
    ask('create', 'deployment', 'life', '--image=k8s.gcr.io/serve_hostname')
    ask('expose', 'deployment', 'life', '--port=80', '--target-port=9376')
    ask('scale', 'deployment', 'life', '--replicas=2')
    ask('rollout', 'status', 'deployment', 'life', '--timeout=30s')
    ask('label', 'service', 'life', 'a=b')
    ask('annotate', 'service', 'life', 'c=d')
    assert.match(
      ask('get', 'service', 'life', '-o', 'wide'),
      /^life +ClusterIP +10\.\S+ +<none> +80\/TCP +\d+s +app=life$/m,
    )
    assert.match(ask('describe', 'service', 'life'), /^Endpoints: +10\.244\./m)
    const path = file(
      'life.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: {name: life2}\nspec: {ports: [{port: 80}]}\n',
    )
    for (const done of ['created', 'unchanged']) assert.equal(ask('apply', '-f', path), `service/life2 ${done}\n`)
    ask('delete', 'service/life', 'service/life2', 'deployment/life')
  })

test('through the server to a Service, a pod and a node', { skip }, () => {
  const raw = (path: string) => live.kubectl('get', '--raw', path)
  const base = '/api/v1/namespaces/default'
  for (const service of ['hostnames:default', 'hostnames:80', 'http:hostnames:80'])
    assert.match(raw(`${base}/services/${service}/proxy/`), /^hostnames-/)
  const { name } = firstPod()
  assert.equal(raw(`${base}/pods/${name}:9376/proxy/`).trim(), name)
  const { kind, items } = JSON.parse(raw('/api/v1/nodes/node-1/proxy/pods')) as { kind: string; items: object[] }
  assert.equal(kind, 'PodList')
  assert.ok(items.length > 0)
  assert.match(
    live.tryKubectl(['get', '--raw', `${base}/pods/${name}:1/proxy/`]).stderr,
    /error trying to reach service/,
  )
})

test('drain waits for a budget, and goes on once it allows', { skip }, async () => {
  live.kubectl('create', 'deployment', 'guarded', '--image=pause')
  live.kubectl('create', 'poddisruptionbudget', 'guarded', '--selector=app=guarded', '--min-available=1')
  live.kubectl('rollout', 'status', 'deployment/guarded', '--timeout=30s')
  const [first] = live.pods('app=guarded')
  const words = ['drain', first!.node, '--pod-selector=app=guarded', '--timeout=60s']
  const drain = spawn('kubectl', words, { env: { ...process.env, ...live.env } })
  try {
    let said = ''
    for (const output of [drain.stdout, drain.stderr]) output.on('data', (data: Buffer) => (said += data.toString()))
    const ended = new Promise<number | null>((resolve) => drain.on('close', resolve))
    await until(() => assert.match(said, /violate the pod's disruption budget/))
    assert.equal(drain.exitCode, null)
    assert.deepEqual(
      live.pods('app=guarded').map(({ name }) => name),
      [first!.name],
      'it stays',
    )
    // A second pod can only go to the other node, and then one of the two may go.
    live.kubectl('scale', 'deployment/guarded', '--replicas=2')
    assert.equal(await ended, 0, said)
    assert.match(said, new RegExp(`pod/${first!.name} evicted`))
    await until(() => assert.doesNotMatch(live.kubectl('get', 'pods', '-l', 'app=guarded'), new RegExp(first!.name)))
    assert.ok(live.pods('app=guarded').every(({ node }) => node !== first!.node))
  } finally {
    drain.kill('SIGKILL')
    live.kubectl('uncordon', first!.node)
    live.kubectl('delete', 'deployment/guarded', 'poddisruptionbudget/guarded')
  }
})
