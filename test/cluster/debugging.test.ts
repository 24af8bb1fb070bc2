// Looking for what is wrong with a Service, by the commands that tutorials teach, and by fairway's own.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { fairway, run, startFairway } from '#test/fairway.ts'
import { showPicture } from '#test/cluster/node-picture.ts'
import { assertGolden } from '#test/golden.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'curl', 'dig', 'python3'] })
let live: LiveCluster

const files = ['examples/hostnames.yaml', 'examples/clusteripservice.yaml', 'test/cluster/testdata/services.yaml']
before(() => {
  if (skip === false)
    live = new LiveCluster(
      'debugging',
      files.flatMap((file) => ['-f', file]),
    )
})
after(() => live?.down())

const proxyLog = () => live.kubectl('logs', '-n', 'kube-system', 'kube-proxy-node-1')

test('fairway proxy show on a node is the golden picture', { skip }, async () => {
  await until(() => {
    const services = live.kubectl('get', 'services', '-A', '-o', 'json')
    const { text } = live.sh('node/node-1', 'fairway proxy show')
    assertGolden('test/cluster/testdata/node-1.show', `${showPicture(text, services)}\n`)
  })
  const { status, text } = live.sh('node/node-1', 'fairway proxy show --rules; fairway proxy show -o json | head -c 80')
  assert.equal(status, 0)
  assert.match(text, /^chain dispatch {2}# finds the Service of a new connection$/m)
  assert.match(text, /\{"fairway":"nftables","version":1,"generation/)
  assert.match(
    live.sh('router', 'fairway proxy show').text,
    /there is no table fairway-proxy in this network namespace/,
  )
})

test('nft list: who has which address, how many endpoints there are, and which', { skip }, async () => {
  const ip = live.value('.spec.clusterIP', 'service', 'clusteripservice')
  const list = (what: string) => live.sh('node/node-2', `nft list ${what}`).text
  const front = new RegExp(
    `${ip.replaceAll('.', '\\.')} \\. tcp \\. 8080 comment "default/clusteripservice" : 0x0{8} \\. (0x\\w{8})`,
  )
  const [, shape] = front.exec(list('map ip fairway-proxy services'))!
  assert.match(list('map ip fairway-proxy shapes'), new RegExp(`${shape} : goto cluster-ip-4\\b`))
  assert.match(list('chain ip fairway-proxy cluster-ip-4'), /numgen random mod 4/)
  const endpoints = list('map ip fairway-proxy endpoints-1-to-4').matchAll(
    /comment "default\/clusteripservice" : ([\d.]+) \. (\d+)/g,
  )
  assert.deepEqual(
    [...endpoints].map(([, address, port]) => `${address}:${port}`).sort(),
    [...live.endpoints('clusteripservice')].sort(),
  )
})

test('deploy/proxy.yaml: the API server takes it', { skip }, () => {
  const said = live.kubectl('apply', '--dry-run=server', '-f', 'deploy/proxy.yaml')
  for (const name of ['serviceaccount/fairway-proxy', 'configmap/fairway-proxy'])
    assert.ok(said.includes(`${name} created`), said)
})

test('kubectl get endpoints hostnames', { skip }, () => {
  const [head, line] = live.kubectl('get', 'endpoints', 'hostnames').split('\n')
  assert.match(head!, /^NAME +ENDPOINTS +AGE$/)
  const addresses = live.pods('app=hostnames').map(({ ip }) => `${ip}:9376`)
  assert.deepEqual(line!.split(/\s+/)[1]!.split(',').sort(), addresses.sort())
})

test('kubectl get svc hostnames', { skip }, () => {
  const [head, line] = live.kubectl('get', 'svc', 'hostnames').split('\n')
  assert.match(head!, /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/)
  assert.match(line!, /^hostnames +ClusterIP +10\.\d+\.\d+\.\d+ +<none> +80\/TCP +\d+s$/)
})

test('kubectl logs of the node’s kube-proxy', { skip }, async () => {
  const log = await until(proxyLog)
  for (const line of log.trim().split('\n'))
    assert.match(line, /^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [a-z-]+\.ts:\d+\] /)
  const lines = log.split('\n').map((line) => line.replace(/^.*?\] /, ''))
  for (const line of [
    'Using nftables Proxier.',
    'Not syncing nftables until Services and Endpoints have been received from master',
    'Adding new service port "default/kubernetes:https" at 10.96.0.1:443/TCP',
    'Adding new service port "kube-system/kube-dns:dns" at 10.96.0.10:53/UDP',
    'Adding new service port "kube-system/kube-dns:dns-tcp" at 10.96.0.10:53/TCP',
  ])
    assert.ok(lines.includes(line), `not in the log: ${line}`)
  const [apiServer] = live.endpoints('kubernetes')
  assert.ok(lines.includes(`Setting endpoints for service port name "default/kubernetes:https" to [${apiServer}]`))
  const dns = live.pods('app=hostnames').map(({ ip }) => `${ip}:9376`)
  const last = lines.findLast((line) =>
    line.startsWith('Setting endpoints for service port name "default/hostnames:default"'),
  )
  assert.deepEqual(/\[(.*)\]/.exec(last!)![1]!.split(' ').sort(), dns.sort())
})

test('a log line stands there only because the thing happened', { skip }, async () => {
  const before = proxyLog()
  assert.ok(!before.includes('default/late'))
  live.kubectl('create', 'service', 'clusterip', 'late', '--tcp=80:80')
  const ip = live.value('.spec.clusterIP', 'service', 'late')
  await until(() => assert.ok(proxyLog().includes(`Adding new service port "default/late:80-80" at ${ip}:80/TCP`)))
  live.kubectl('delete', 'service', 'late')
  await until(() => assert.match(proxyLog(), /Removing service port "default\/late:80-80"/))
})

test('the loop over hairpin_mode', { skip }, () => {
  const loop = 'for d in /sys/devices/virtual/net/cni0/brif/veth*/hairpin_mode; do echo "$d = $(cat $d)"; done'
  for (const node of new Set(live.pods('app=hostnames').map((pod) => pod.node)))
    for (const line of live.sh(`node/${node}`, loop).text.split('\n'))
      assert.match(line, /^\/sys\/devices\/virtual\/net\/cni0\/brif\/veth[0-9a-f]{8}\/hairpin_mode = 1$/)
})

test('the pod network: a route, a neighbour and a forwarding entry per node, and room for the tunnel', { skip }, () => {
  const lines = live.sh('node/node-1', 'ip route; ip neigh show dev flannel.1; bridge fdb show dev flannel.1').text
  for (const node of ['node-2', 'node-3']) {
    const cidr = live.value('.spec.podCIDR', 'node', node)
    const ip = live.value('.status.addresses[0].address', 'node', node)
    const base = cidr.split('/')[0]!
    assert.match(lines, new RegExp(`^${cidr} via ${base} dev flannel.1 onlink`, 'm'))
    const mac = new RegExp(`^${base} lladdr (\\S+) PERMANENT`, 'm').exec(lines)?.[1]
    assert.match(lines, new RegExp(`^${mac} dst ${ip} self permanent`, 'm'))
  }
  assert.match(live.sh('pod/looker', 'cat /sys/class/net/eth0/mtu').text, /^1450$/)
})

test('rules that somebody removed come back', { skip }, async () => {
  for (const attack of ['flush ruleset', 'flush chain ip fairway-proxy dispatch', 'delete table ip fairway-proxy']) {
    live.sh('node/node-3', `nft ${attack}`)
    await until(() => {
      const { text } = live.sh('node/node-3', 'nft list table ip fairway-proxy')
      assert.match(text, /comment "default\/clusteripservice"/, attack)
      assert.match(text, /comment "no such port"/, attack)
    })
  }
})

test('fairway status', { skip }, () => {
  const { status, stdout } = live.fairway('status')
  assert.equal(status, 0, stdout)
  assert.match(stdout, /^export KUBECONFIG=\S+kubeconfig$/m)
  for (const node of ['node-1', 'node-2', 'node-3']) assert.match(stdout, new RegExp(`^${node} +Ready +10\\.`, 'm'))
  for (const process of ['control-plane', 'node-1'])
    assert.match(stdout, new RegExp(`^${process} +\\d+ +[\\d.]+ MiB`, 'm'))
  assert.match(stdout, /^default\/nodeportservice +NodePort +10\.\S+ +8080:30001\/TCP +10\.244\./m)
})

test('fairway curl from a pod, a node, the client and this machine', { skip }, () => {
  const pods = live.pods('app=hostnames').map(({ name }) => name)
  const node = live.value('.status.addresses[0].address', 'node', 'node-2')
  for (const words of [
    ['--from', 'pod/looker', 'http://hostnames/'],
    ['--from', 'pod/default/looker', 'hostnames.default.svc.cluster.local'],
    ['--from', 'node/node-3', `http://${live.value('.spec.clusterIP', 'service', 'hostnames')}/`],
    ['--from', 'client', 'http://node-2:30225/'],
    [`http://${node}:30225/`],
  ]) {
    const { status, stdout, stderr } = live.fairway('curl', ...words)
    assert.equal(status, 0, stderr)
    assert.ok(pods.includes(stdout.trim()), stdout)
  }
  const closed = live.fairway('curl', '--from', 'client', 'http://node-1:30303/')
  assert.equal(closed.status, 7)
  assert.match(closed.stderr, /http:\/\/node-1:30303\/ from client: refused/)
  const dropped = live.fairway('curl', '--from', 'client', '-m', '1s', 'http://node-3:30301/')
  assert.equal(dropped.status, 28, dropped.stderr)
  assert.equal(live.fairway('curl', '--from', 'pod/looker', 'http://hostnames.nowhere.svc.cluster.local/').status, 6)
  assert.match(live.fairway('curl', '--from', 'pod/none', 'http://hostnames/').stderr, /there is no pod default\/none/)
})

test('fairway exec: exit codes, standard input, each place', { skip }, () => {
  for (const place of ['pod/looker', 'node/node-1', 'client', 'router']) {
    assert.deepEqual(live.sh(place, 'echo out; echo err >&2; exit 3'), { status: 3, text: 'out\nerr' })
    const { stdout } = fairway(['exec', '--name', live.name, place, '--', 'cat'], { input: 'through' })
    assert.equal(stdout, 'through', place)
  }
  assert.equal(live.sh('node/node-2', 'hostname').text, 'node-2')
  assert.equal(live.sh('pod/looker', 'hostname').text, 'looker')
})

test('fairway logs: a list, a part, its last lines, following', { skip }, async () => {
  const parts = live.fairway('logs').stdout.trim().split('\n')
  for (const part of ['control-plane', 'kube-proxy-node-1', 'kube-flannel-node-2', 'kubelet-node-3'])
    assert.ok(parts.includes(part), part)
  const whole = live.fairway('logs', 'kube-proxy-node-1').stdout
  assert.match(whole, /Adding new service port "default\/clusteripservice"/)
  assert.equal(live.fairway('logs', 'kube-proxy-node-1', '--tail', '2').stdout.trim().split('\n').length, 2)
  assert.match(live.fairway('logs', 'kube-proxy-node-9').stderr, /did you mean: fairway logs kube-proxy-node-/)

  const follower = startFairway(['logs', '--name', live.name, 'kube-proxy-node-1', '-f'])
  let followed = ''
  follower.stdout.on('data', (data) => (followed += String(data)))
  await until(() => assert.match(followed, /Adding new service port/))
  live.kubectl('create', 'service', 'clusterip', 'followed', '--tcp=80:80')
  await until(() => assert.match(followed, /default\/followed:80/))
  const ended = new Promise((resolve) => follower.on('exit', resolve))
  follower.kill('SIGINT')
  await ended
})

test('every process tells how it is', { skip }, () => {
  const ask = (port: number, path: string) => live.sh('node/node-1', `curl -sS -m 5 http://127.0.0.1:${port}${path}`)
  assert.match(
    ask(10249, '/metrics').text,
    /^kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} \d+$/m,
  )
  assert.equal(ask(10248, '/healthz').text, 'ok')
  assert.equal(ask(10256, '/healthz').status, 0)
  const [dns] = JSON.parse(
    live.kubectl('get', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns', '-o', 'json'),
  ).items
  const url = `http://${dns.status.podIP}`
  assert.equal(live.sh('node/node-1', `curl -sS -m 5 ${url}:8080/health`).text, 'OK')
  assert.equal(live.sh('node/node-1', `curl -sS -m 5 ${url}:8181/ready`).text, 'OK')
  assert.match(live.sh('node/node-1', `curl -sS -m 5 ${url}:9153/metrics`).text, /^coredns_dns_requests_total/m)
  for (const path of ['/healthz', '/livez', '/readyz']) assert.equal(live.kubectl('get', '--raw', path), 'ok')
  assert.match(live.kubectl('get', '--raw', '/metrics'), /^# TYPE apiserver_request_total counter$/m)
  assert.match(run(['kubectl', 'version'], live.env), /Server Version: v1\.36\./)
})
