// Real kubectl against the server: the one on the PATH, and those that FAIRWAY_KUBECTLS names (paths with colons).
import * as assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { deployments, replicaSets } from '#api/apps.ts'
import { pods } from '#api/core.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { given, type Kubectl } from '#test/kubectls.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-kubectl-'))
const kubeconfig = join(folder, 'kubeconfig')
let server: ChildProcess
let client: Client
let serverSaid = ''

const kubectls = given()

before(async () => {
  if (kubectls.length === 0) return
  const words = [
    'apiserver',
    '--bind-address',
    '127.0.0.1',
    '--secure-port',
    '0',
    '--data-file',
    join(folder, 'store.db'),
  ]
  server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise<void>((resolve, reject) => {
    server.stderr!.on('data', (chunk: Buffer) => {
      serverSaid += chunk.toString()
      if (serverSaid.includes('ready on port')) resolve()
    })
    server.once('exit', () => reject(new Error(serverSaid)))
  })
  client = connect(loadKubeconfig(kubeconfig))
})
after(() => {
  client?.close()
  server?.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

type Result = { readonly code: number | null; readonly out: string }

/** What kubectl says, on both channels. */
function kubectl({ path }: Kubectl, namespace: string, words: readonly string[], input = ''): Promise<Result> {
  const home = join(folder, `home-${namespace}`)
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: home, EDITOR: join(folder, 'editor'), KUBE_EDITOR: '' }
  return new Promise((resolve, reject) => {
    const child = spawn(path, ['--namespace', namespace, ...words], { env, cwd: folder })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}], type: NodePort}
`

type Step = {
  readonly words: readonly string[]
  readonly input?: string
  readonly want: RegExp
  readonly code?: number
  /** the first and the last kubectl (its minor version) that can say this */
  readonly from?: number
  readonly to?: number
  /** what has to happen meanwhile or before: what controllers would do */
  readonly before?: (namespace: string) => Promise<void>
}

/** What the Deployment controller would write. */
async function rolledOut(namespace: string): Promise<void> {
  const object = await client.get(deployments, 'web', { namespace })
  const replicas = object.spec?.replicas ?? 0
  const ready = { replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas }
  const conditions = [{ type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' }]
  const status = { ...ready, conditions, observedGeneration: object.metadata?.generation ?? 1 }
  await client.update(deployments, { ...object, status } as typeof object, { subresource: 'status' })
}

/** What the ReplicaSet controller would make. */
async function replicaSetMade(namespace: string): Promise<void> {
  const { metadata, spec } = await client.get(deployments, 'web', { namespace })
  const labels = { app: 'web', 'pod-template-hash': 'abc' }
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: metadata!.uid!, controller: true }
  await client.create(replicaSets, {
    metadata: {
      name: 'web-abc',
      namespace,
      labels,
      ownerReferences: [owner],
      annotations: { 'deployment.kubernetes.io/revision': '1' },
    },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { ...spec!.template, metadata: { labels } },
    },
  } as never)
}

async function podReady(namespace: string): Promise<void> {
  const pod = await client.get(pods, 'one', { namespace })
  const conditions = [{ type: 'Ready', status: 'True' }]
  await client.update(pods, { ...pod, status: { phase: 'Running', conditions } } as typeof pod, {
    subresource: 'status',
  })
}

const steps: readonly Step[] = [
  { words: ['apply', '-f', '-'], input: web, want: /deployment\.apps\/web created\nservice\/web created/ },
  { words: ['apply', '-f', '-'], input: web, want: /deployment\.apps\/web unchanged\nservice\/web unchanged/ },
  {
    words: ['apply', '-f', '-'],
    input: web.replace('replicas: 2', 'replicas: 3'),
    want: /deployment\.apps\/web configured\nservice\/web unchanged/,
  },
  { words: ['diff', '-f', '-'], input: web, want: /-  replicas: 3\n\+  replicas: 2/, code: 1 },
  {
    words: ['apply', '-f', '-'],
    input: web.replace('replicas: 2', 'replicass: 2'),
    want: /unknown field "(spec\.)?replicass"/,
    code: 1,
  },
  {
    words: ['apply', '--server-side', '--force-conflicts', '-f', '-'],
    input: web,
    want: /deployment\.apps\/web serverside-applied/,
  },
  {
    words: ['apply', '--server-side', '--field-manager=other', '-f', '-'],
    input: web.replace('replicas: 2', 'replicas: 5'),
    want: /Apply failed with 1 conflict: conflict with "kubectl"[^]*\.spec\.replicas/,
    code: 1,
  },
  {
    words: ['get', 'deploy,svc'],
    want: /deployment\.apps\/web +0\/2 +0 +0 +\d+s[^]*service\/web +NodePort +10\.\S+ +<none> +80:3\d{4}\/TCP +\d+s/,
  },
  {
    words: ['get', 'deploy', 'web', '-o', 'wide'],
    want: /CONTAINERS +IMAGES +SELECTOR\nweb +0\/2 .* web +web:1 +app=web/,
  },
  { words: ['get', 'svc', 'web', '-o', 'yaml'], want: /sessionAffinity: None\n {2}type: NodePort/ },
  { words: ['get', 'all'], want: /service\/web[^]*deployment\.apps\/web/ },
  { words: ['get', 'svc', '-A', '-l', 'component=apiserver'], want: /default +kubernetes +ClusterIP +10\.96\.0\.1/ },
  { words: ['get', 'deploy', '-o', 'jsonpath={.items[*].spec.replicas}'], want: /^2$/ },
  { words: ['get', 'nothing'], want: /the server doesn't have a resource type "nothing"/, code: 1 },
  { words: ['get', 'svc', 'nope'], want: /^Error from server \(NotFound\): services "nope" not found/, code: 1 },
  {
    words: ['rollout', 'status', 'deploy/web', '--timeout=10s'],
    want: /deployment "web" successfully rolled out/,
    before: rolledOut,
  },
  {
    words: ['wait', '--for=condition=Available', 'deploy/web', '--timeout=10s'],
    want: /deployment\.apps\/web condition met/,
  },
  {
    words: ['rollout', 'history', 'deploy/web'],
    want: /deployment\.apps\/web[^]*REVISION[^]*1 +<none>/,
    before: replicaSetMade,
  },
  { words: ['scale', 'deploy/web', '--replicas=4'], want: /deployment\.apps\/web scaled/ },
  { words: ['get', 'deploy', 'web'], want: /web +2\/4 +2 +2/ },
  { words: ['rollout', 'restart', 'deploy/web'], want: /deployment\.apps\/web restarted/ },
  { words: ['rollout', 'pause', 'deploy/web'], want: /deployment\.apps\/web paused/ },
  { words: ['rollout', 'resume', 'deploy/web'], want: /deployment\.apps\/web resumed/ },
  { words: ['set', 'image', 'deploy/web', 'web=web:2'], want: /deployment\.apps\/web image updated/ },
  { words: ['set', 'env', 'deploy/web', 'A=b'], want: /deployment\.apps\/web env updated/ },
  { words: ['label', 'svc', 'web', 'a=b'], want: /service\/web labeled/ },
  { words: ['label', 'svc', 'web', 'a=c'], want: /already has a value \(b\), and --overwrite is false/, code: 1 },
  { words: ['annotate', 'svc', 'web', 'example.com/a=b'], want: /service\/web annotated?/ },
  { words: ['get', 'svc', '-l', 'a=b', '--show-labels'], want: /web .* a=b/ },
  {
    words: ['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":80,"targetPort":9090}]}}'],
    want: /service\/web patched/,
  },
  {
    words: ['patch', 'svc', 'web', '--type=merge', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}'],
    want: /service\/web patched/,
  },
  {
    words: ['patch', 'svc', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/ports/0/port","value":81}]'],
    want: /service\/web patched/,
  },
  {
    words: [
      'get',
      'svc',
      'web',
      '-o',
      'jsonpath={.spec.ports[0].name} {.spec.ports[0].port} {.spec.ports[0].targetPort} {.spec.sessionAffinity}',
    ],
    want: /^http 81 9090 ClientIP$/,
  },
  {
    words: ['patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":81,"nodePort":80}]}}'],
    want: /The Service "web" is invalid: spec\.ports\[0\]\.nodePort: Invalid value: 80: provided port is not in the valid range\. The range of valid ports is 30000-32767/,
    code: 1,
  },
  { words: ['edit', 'svc', 'web'], want: /service\/web edited/ },
  { words: ['get', 'svc', 'web', '-o', 'jsonpath={.metadata.labels.edited}'], want: /^yes$/ },
  {
    words: ['describe', 'svc', 'web'],
    want: /Name: +web[^]*Type: +NodePort[^]*TargetPort: +9090\/TCP[^]*Session Affinity: +ClientIP/,
  },
  { words: ['describe', 'deploy', 'web'], want: /Name: +web[^]*Selector: +app=web[^]*Replicas: +4 desired/ },
  { words: ['expose', 'deploy', 'web', '--port=80', '--name=web2'], want: /service\/web2 exposed/ },
  {
    words: ['replace', '-f', '-'],
    input: web.slice(0, web.indexOf('---')).replace('replicas: 2', 'replicas: 1'),
    want: /deployment\.apps\/web replaced/,
  },
  {
    words: ['create', '-f', '-'],
    input: web,
    want: /AlreadyExists[^]*deployments\.apps "web" already exists/,
    code: 1,
  },
  { words: ['create', 'deployment', 'made', '--image=made:1'], want: /deployment\.apps\/made created/ },
  {
    words: ['create', 'deployment', 'dry', '--image=x', '--dry-run=server', '-o', 'name'],
    want: /deployment\.apps\/dry/,
  },
  { words: ['create', 'configmap', 'm', '--from-literal=a=b'], want: /configmap\/m created/ },
  { words: ['create', 'secret', 'generic', 's', '--from-literal=a=b'], want: /secret\/s created/ },
  { words: ['create', 'serviceaccount', 'sa'], want: /serviceaccount\/sa created/ },
  { words: ['create', 'token', 'sa'], want: /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/m, from: 24 },
  { words: ['create', 'service', 'clusterip', 'c', '--tcp=80:8080'], want: /service\/c created/ },
  { words: ['create', 'service', 'externalname', 'e', '--external-name=example.com'], want: /service\/e created/ },
  { words: ['run', 'one', '--image=one:1'], want: /pod\/one created/ },
  { words: ['get', 'pods', '-o', 'wide'], want: /one +0\/1 +Pending +0 +\d+s +<none> +<none> +<none> +<none>/ },
  {
    words: ['wait', '--for=condition=Ready', 'pod/one', '--timeout=10s'],
    want: /pod\/one condition met/,
    before: podReady,
  },
  {
    words: ['wait', '--for=jsonpath={.status.phase}=Running', 'pod/one', '--timeout=10s'],
    want: /condition met/,
    from: 23,
  },
  { words: ['describe', 'pod', 'one'], want: /Name: +one[^]*Status: +Running[^]*Events: +<none>/ },
  { words: ['logs', 'one'], want: /^$/ },
  { words: ['explain', 'service.spec.clusterIP'], want: /FIELD: +clusterIP[^]*string/ },
  { words: ['explain', 'deploy'], want: /KIND: +Deployment[^]*spec/ },
  { words: ['api-resources', '--api-group=apps'], want: /deployments +deploy +apps\/v1 +true +Deployment/ },
  { words: ['api-versions'], want: /apps\/v1[^]*v1/ },
  { words: ['auth', 'can-i', 'create', 'services'], want: /^yes/ },
  { words: ['auth', 'can-i', '--list'], want: /\*\.\* +\[\] +\[\] +\[\*\]/ },
  { words: ['auth', 'whoami'], want: /kubernetes-admin[^]*system:masters/, from: 28 },
  { words: ['cluster-info'], want: /is running at/ },
  { words: ['delete', 'pod', 'one', '--grace-period=0', '--force'], want: /pod "one" (force )?deleted/ },
  { words: ['delete', 'deploy,svc', 'web'], want: /deployment\.apps "web" deleted[^]*service "web" deleted/ },
  { words: ['delete', 'svc', '--all'], want: /service "web2" deleted/ },
  { words: ['get', 'svc'], want: /No resources found/ },
]

async function play(program: Kubectl): Promise<string[]> {
  const namespace = `v${program.tag}`
  const failures: string[] = []
  const { code, out } = await kubectl(program, 'default', ['create', 'namespace', namespace])
  if (code !== 0) return [out]
  for (const { words, input, want, code: wanted = 0, from = 0, to = 99, before: prepare } of steps) {
    if (program.minor < from || program.minor > to) continue
    await prepare?.(namespace).catch((error: unknown) => failures.push(`before ${words.join(' ')}: ${String(error)}`))
    const result = await kubectl(program, namespace, words, input)
    if (result.code !== wanted || !want.test(result.out))
      failures.push(`kubectl ${words.join(' ')}: exit ${result.code}, wanted ${want}\n${result.out}`)
  }
  failures.push(...(await watchWorks(program, namespace)))
  return failures
}

/** `get -w` shows what comes. */
async function watchWorks(program: Kubectl, namespace: string): Promise<string[]> {
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: join(folder, `home-${namespace}`) }
  const child = spawn(program.path, ['-n', namespace, 'get', 'configmap', '-w'], { env })
  let out = ''
  const line = (pattern: RegExp) =>
    new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 10_000)
      const look = () => {
        if (!pattern.test(out)) return
        clearTimeout(timer)
        resolve(true)
      }
      child.stdout.on('data', look)
      look()
    })
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const first = await line(/^m +1 /m)
  await kubectl(program, namespace, ['create', 'configmap', 'later'])
  const second = await line(/^later +0 /m)
  child.kill()
  return first && second ? [] : [`kubectl get configmap -w: ${out}`]
}

const skip = kubectls.length === 0 ? 'needs kubectl on the PATH, or FAIRWAY_KUBECTLS' : false
if (skip) test('kubectl', { skip }, () => {})
for (const program of kubectls)
  test(`kubectl 1.${program.minor} (${program.path})`, { timeout: 110_000 }, async () => {
    const editor = join(folder, 'editor')
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/^  labels:$/  labels:\\n    edited: \\"yes\\"/" "$1"\n')
    chmodSync(editor, 0o755)
    const failures = await play(program)
    assert.equal(failures.join('\n\n'), '', serverSaid)
  })
