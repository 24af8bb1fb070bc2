// What kubectl can do here, command by command: shell scripts in which `kubectl` is the one that is tried, in a namespace of
// its own with a Deployment and a Service `web`. A command passes where its script ends with 0.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LiveCluster } from '#test/cluster/live-cluster.ts'
import type { Kubectl } from '#test/kubectls.ts'

type Command = {
  readonly name: string
  readonly script: string
  /** the first kubectl (its minor version) that has it */
  readonly from?: number
}

const setup = `
  kubectl create namespace $NS
  kubectl create deployment web --image=serve_hostname
  kubectl scale deployment web --replicas=2
  kubectl rollout status deployment web --timeout=30s
  kubectl expose deployment web --port=80 --target-port=9376
`
/** A ConfigMap on standard output. */
const given = (name: string, value = 'b') =>
  `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: ${name}}\\ndata: {a: ${value}}\\n'`
/** Whether a command succeeds and says that. */
const says = (command: string, pattern: string) =>
  `OUT=$(${command} 2>&1); echo "$OUT"; grep -qE '${pattern}' <<< "$OUT"`
const pod = '$(kubectl get pods -l app=web -o name | head -n 1)'

export const commands: readonly Command[] = [
  {
    name: 'annotate, label',
    script: 'kubectl annotate svc web a=b; kubectl label svc web a=b; kubectl label svc web a-',
  },
  {
    name: 'api-resources, api-versions',
    script: `${says('kubectl api-resources', '^deployments +deploy +apps/v1')}; ${says('kubectl api-versions', '^apps/v1$')}`,
  },
  {
    name: 'apply',
    script: `${given('m')} | kubectl apply -f -; ${says(`${given('m')} | kubectl apply -f -`, 'unchanged')}; ${says(`${given('m', 'c')} | kubectl apply -f -`, 'configured')}`,
  },
  {
    name: 'apply --server-side',
    script: `${given('s')} | kubectl apply --server-side -f -; ! ${given('s', 'c')} | kubectl apply --server-side --field-manager=other -f -; ${given('s', 'c')} | kubectl apply --server-side --field-manager=other --force-conflicts -f -`,
  },
  {
    name: 'attach',
    script: `echo hello | kubectl run att --image=x --restart=Never -i --rm --quiet --command -- cat | grep -q hello`,
  },
  {
    name: 'auth can-i',
    script: `kubectl auth can-i create pods; ${says('kubectl auth can-i --list', '\\*\\.\\*')}; ! kubectl auth can-i get secrets --as nobody`,
  },
  { name: 'auth whoami', from: 28, script: says('kubectl auth whoami', 'kubernetes-admin') },
  { name: 'autoscale', script: 'kubectl autoscale deployment web --max=3' },
  {
    name: 'certificate approve',
    script: `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=$NS 2>/dev/null | base64 -w0 > $DIR/csr; printf 'apiVersion: certificates.k8s.io/v1\\nkind: CertificateSigningRequest\\nmetadata: {name: %s}\\nspec: {signerName: kubernetes.io/kube-apiserver-client, usages: [digital signature, client auth], request: %s}\\n' $NS "$(cat $DIR/csr)" | kubectl create -f -; kubectl certificate approve $NS; for i in $(seq 50); do kubectl get csr $NS | grep -q Issued && exit 0; sleep 0.1; done; exit 1`,
  },
  { name: 'cluster-info', script: says('kubectl cluster-info', 'control plane|master') },
  {
    name: 'cluster-info dump',
    script: `${says('kubectl cluster-info dump', '"kind": "ReplicationControllerList"')}; kubectl cluster-info dump -A --output-directory=$DIR/dump; grep -q '"name": "web"' $DIR/dump/$NS/services.json; grep -rq 'Started HTTP server' $DIR/dump/$NS`,
  },
  {
    name: 'cordon, uncordon, taint',
    script:
      'kubectl cordon node-2; kubectl uncordon node-2; kubectl taint node node-2 $NS=b:PreferNoSchedule; kubectl taint node node-2 $NS-',
  },
  {
    name: 'cp',
    script: `echo content > $DIR/file; P=$(kubectl get pods -l app=web -o jsonpath='{.items[0].metadata.name}'); kubectl cp $DIR/file $P:/tmp/file; kubectl cp $P:/tmp/file $DIR/back; cmp $DIR/file $DIR/back`,
  },
  {
    name: 'create (configmap, secret, service, job, role ...)',
    script: `kubectl create configmap c --from-literal=a=b; kubectl create secret generic c --from-literal=a=b; kubectl create service clusterip c --tcp=80; kubectl create serviceaccount c; kubectl create job c --image=x -- true; kubectl create role c --verb=get --resource=pods; kubectl create rolebinding c --role=c --serviceaccount=$NS:c; kubectl create ingress c --rule=a/=web:80`,
  },
  {
    name: 'create cronjob, quota',
    script: `kubectl create cronjob c --image=x --schedule='* * * * *' -- true; kubectl create quota c --hard=pods=9`,
  },
  {
    name: 'create poddisruptionbudget',
    script: `kubectl create poddisruptionbudget c --selector=app=web --min-available=1; kubectl describe pdb c`,
  },
  { name: 'create token', from: 24, script: says('kubectl create token default', '^eyJ') },
  {
    name: 'debug (an ephemeral container)',
    from: 23,
    script: `timeout 10 kubectl debug ${pod} --image=busybox -i --quiet -- echo debugged < /dev/null | grep -q debugged`,
  },
  {
    name: 'delete',
    script: `kubectl create configmap d; kubectl delete configmap d; kubectl create deployment d --image=pause; kubectl delete deployment d --cascade=foreground; ! kubectl get deployment d`,
  },
  {
    name: 'describe',
    script: `${says('kubectl describe svc web', '^Endpoints: +10\\.')}; kubectl describe deploy web; kubectl describe ${pod}; kubectl describe node node-1`,
  },
  { name: 'diff', script: `${given('f')} | kubectl apply -f -; ! ${given('f', 'c')} | kubectl diff -f -` },
  {
    name: 'drain',
    script:
      'kubectl create deployment dr --image=pause; kubectl rollout status deploy/dr --timeout=30s; kubectl drain node-2 --pod-selector=app=dr --ignore-daemonsets --timeout=30s; kubectl uncordon node-2',
  },
  {
    name: 'edit',
    script: `KUBE_EDITOR='sed -i s/ClusterIP/NodePort/' kubectl edit svc web; ${says('kubectl get svc web', 'NodePort')}`,
  },
  { name: 'events', from: 26, script: says('kubectl events --for deployment/web', 'ScalingReplicaSet') },
  {
    name: 'exec',
    script: `kubectl exec ${pod} -- true; echo through | kubectl exec -i ${pod} -- cat | grep -q through; ! kubectl exec ${pod} -- false`,
  },
  {
    name: 'explain',
    script: `${says('kubectl explain service.spec.clusterIP', 'clusterIP')}; kubectl explain deploy --recursive`,
  },
  { name: 'expose', script: 'kubectl expose deployment web --name=web2 --port=80' },
  {
    name: 'get (table, wide, yaml, json, jsonpath, custom-columns, --raw)',
    script: `${says('kubectl get all', 'deployment.apps/web +2/2')}; kubectl get pods -o wide; kubectl get svc web -o yaml; kubectl get svc web -o json; kubectl get svc -o jsonpath='{.items[0].spec}'; kubectl get svc -o custom-columns=N:.metadata.name; kubectl get pods --sort-by=.metadata.name; kubectl get --raw /readyz`,
  },
  {
    name: 'get -w',
    script: `timeout 3 kubectl get configmap -w > $DIR/seen & sleep 0.7; kubectl create configmap watched; wait; grep -q watched $DIR/seen`,
  },
  {
    name: 'kustomize, apply -k',
    script: `mkdir -p $DIR/k; printf 'configMapGenerator: [{name: k, literals: [a=b]}]\\n' > $DIR/k/kustomization.yaml; kubectl kustomize $DIR/k; kubectl apply -k $DIR/k`,
  },
  {
    name: 'logs',
    script: `${says(`kubectl logs ${pod} --tail=5 --timestamps`, 'Started HTTP server')}; kubectl logs -l app=web --prefix; timeout 2 kubectl logs -f deploy/web || test $? = 124`,
  },
  {
    name: 'patch (strategic, merge, json)',
    script: `kubectl patch svc web -p '{"metadata":{"labels":{"x":"1"}}}'; kubectl patch svc web --type=merge -p '{"metadata":{"labels":{"x":"2"}}}'; kubectl patch svc web --type=json -p '[{"op":"remove","path":"/metadata/labels/x"}]'`,
  },
  {
    name: 'port-forward',
    script: `kubectl port-forward svc/web :80 > $DIR/forward & P=$!; for i in $(seq 50); do grep -q 127.0.0.1 $DIR/forward && break; sleep 0.1; done; curl -sS -m 5 127.0.0.1:$(sed -n 's/.*127.0.0.1:\\([0-9]*\\) .*/\\1/p' $DIR/forward) | grep -q ^web-; kill $P`,
  },
  {
    name: 'proxy',
    script: `kubectl proxy --port=0 > $DIR/proxy & P=$!; for i in $(seq 50); do grep -q 127.0.0.1 $DIR/proxy && break; sleep 0.1; done; curl -sS -m 5 $(sed -n 's/.* \\(127.*\\)/\\1/p' $DIR/proxy)/api/v1/namespaces/$NS/services/web | grep -q clusterIP; kill $P`,
  },
  {
    name: 'replace',
    script: `${given('r')} | kubectl create -f -; ${given('r', 'c')} | kubectl replace -f -; ${given('r', 'd')} | kubectl replace --force -f -`,
  },
  {
    name: 'replicationcontrollers (create, scale, expose, delete)',
    script: `printf 'apiVersion: v1\\nkind: ReplicationController\\nmetadata: {name: rc}\\nspec: {template: {metadata: {labels: {app: rc}}, spec: {containers: [{name: c, image: serve_hostname}]}}}\\n' | kubectl create -f -; kubectl scale rc rc --current-replicas=1 --replicas=2; for i in $(seq 150); do kubectl get rc rc | grep -qE '^rc +2 +2 +2 ' && break; sleep 0.2; done; kubectl expose rc rc --port=80 --target-port=9376; ${says('kubectl get rc -o wide', '^rc +2 +2 +2 .* app=rc')}; ${says('kubectl describe rc rc', '2 Running')}; kubectl delete rc rc; for i in $(seq 100); do test -z "$(kubectl get pods -l app=rc -o name)" && exit 0; sleep 0.1; done; exit 1`,
  },
  {
    name: 'rollout (status, history, restart, pause, resume, undo)',
    script: `kubectl rollout restart deploy/web; kubectl rollout status deploy/web --timeout=30s; kubectl rollout pause deploy/web; kubectl rollout resume deploy/web; kubectl rollout undo deploy/web; kubectl rollout status deploy/web --timeout=30s; ${says('kubectl rollout history deploy/web', '^3 ')}`,
  },
  {
    name: 'run',
    script: `kubectl run r --image=pause; kubectl wait --for=condition=Ready pod/r --timeout=30s; kubectl delete pod r --grace-period=0 --force`,
  },
  {
    name: 'scale',
    script:
      'kubectl scale deploy web --replicas=3 --current-replicas=2; kubectl scale deploy web --replicas=2; kubectl rollout status deploy/web --timeout=30s',
  },
  {
    name: 'set (image, env, resources, selector, serviceaccount, subject)',
    script: `kubectl create deployment e --image=pause --replicas=0 2>/dev/null || kubectl create deployment e --image=pause; kubectl set image deploy/e pause=pause:2; kubectl set env deploy/e A=b; kubectl set resources deploy/e --limits=cpu=1; kubectl set serviceaccount deploy/e default; kubectl create service clusterip e --tcp=80; kubectl set selector svc e 'a=b'`,
  },
  { name: 'top', script: `timeout 10 kubectl top nodes` },
  {
    name: 'wait',
    script: `kubectl wait --for=condition=Available deploy/web --timeout=30s; kubectl create configmap w; (sleep 0.5; kubectl delete configmap w) & kubectl wait --for=delete configmap/w --timeout=30s; wait`,
  },
]

export type Verdict = 'yes' | 'no' | 'absent'

/** Tries every command; `report` gets what those said that fail. */
export async function tryCommands(
  kubectl: Kubectl,
  live: LiveCluster,
  folder: string,
  report: (command: string, said: string) => void,
): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>()
  const run = shellFor(kubectl, live, folder)
  const { code, said } = await run(setup)
  if (code !== 0) throw new Error(`${kubectl.path} cannot even begin:\n${said}`)
  for (const { name, script, from = 0 } of commands) {
    if (kubectl.minor < from) {
      verdicts.set(name, 'absent')
      continue
    }
    const { code, said } = await run(script)
    if (code !== 0) report(name, said)
    verdicts.set(name, code === 0 ? 'yes' : 'no')
  }
  await run('kubectl delete namespace $NS --wait=false')
  return verdicts
}

/** Runs scripts that end with the first command that fails, pipelines included. */
function shellFor({ path, tag }: Kubectl, live: LiveCluster, folder: string) {
  const own = join(folder, tag)
  const namespace = `k-${tag}`
  mkdirSync(join(own, 'bin'), { recursive: true })
  writeFileSync(join(own, 'bin', 'kubectl'), `#!/bin/sh\nexec '${path}' --namespace ${namespace} "$@"\n`)
  chmodSync(join(own, 'bin', 'kubectl'), 0o755)
  const env = {
    ...process.env,
    ...live.env,
    HOME: own,
    DIR: own,
    NS: namespace,
    PATH: `${join(own, 'bin')}:${process.env['PATH']}`,
  }
  return (script: string) =>
    new Promise<{ code: number | null; said: string }>((resolve, reject) => {
      const child = spawn('bash', ['-eo', 'pipefail', '-c', script], { env, timeout: 60_000 })
      let said = ''
      for (const output of [child.stdout, child.stderr]) output.on('data', (data: Buffer) => (said += data.toString()))
      child.stdin.end()
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, said }))
    })
}

const marks: Readonly<Record<Verdict, string>> = { yes: 'yes', no: '**no**', absent: '' }

/** Rows are commands, columns are versions; empty: that kubectl has no such command. */
export function renderCommandTable(byVersion: ReadonlyMap<number, ReadonlyMap<string, Verdict>>): string {
  const versions = [...byVersion.keys()].toSorted((a, b) => a - b)
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    row(['kubectl', ...versions.map((minor) => `1.${minor}`)]),
    row(['---', ...versions.map(() => '---')]),
    ...commands.map(({ name }) =>
      row([name.replaceAll('|', '\\|'), ...versions.map((minor) => marks[byVersion.get(minor)!.get(name)!])]),
    ),
  ].join('\n')
}

/** The verdicts of one version out of such a table; undefined where it has no such column. */
export function readCommandTable(table: string, minor: number): ReadonlyMap<string, Verdict> | undefined {
  const rows = table
    .split('\n')
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '').trim()))
  const column = rows[0]?.indexOf(`1.${minor}`) ?? -1
  if (column < 0) return undefined
  const verdictOf = (mark: string) => (Object.keys(marks) as Verdict[]).find((verdict) => marks[verdict] === mark)
  return new Map(rows.slice(2).map((cells) => [cells[0]!, verdictOf(cells[column] ?? '') ?? 'absent']))
}
