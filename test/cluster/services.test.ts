// Every kind of Service that is there, with real packets: one cluster of three nodes, asked from pods, from nodes, from
// outside and from this machine.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { likelyCounts, LiveCluster, tally } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { run } from '#test/fairway.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'curl', 'dig', 'python3'] })
const nodes = ['node-1', 'node-2', 'node-3'] as const
const clientIp = '203.0.113.10'
let live: LiveCluster
let nodeIps: readonly string[]

const examples = ['hostnames', 'clusteripservice', 'my-nginx', 'externalips'].map((name) => `examples/${name}.yaml`)
const files = [...examples, 'test/cluster/testdata/services.yaml'].flatMap((file) => ['-f', file])

before(() => {
  if (skip !== false) return
  live = new LiveCluster('services', ['--service-node-port-range', '1-65535', ...files])
  nodeIps = nodes.map((node) => live.value('.status.addresses[0].address', 'node', node))
})
after(() => live?.down())

const rulesOf = (node: string) => live.sh(`node/${node}`, 'nft list table ip fairway-proxy').text
const clusterIp = (service: string) => live.value('.spec.clusterIP', 'service', service)
const names = (selector: string) => live.pods(selector).map(({ name }) => name)

/** All answers come from these, and each of these answers. */
function reachesAll(answers: readonly string[], wanted: readonly string[]): void {
  assert.deepEqual([...new Set(answers)].sort(), [...wanted].sort())
}

test('up shows who answers', { skip }, () => {
  for (const service of ['hostnames', 'clusteripservice', 'my-nginx', 'my-service'])
    assert.match(live.shown, new RegExp(`^default/${service} +(ClusterIP|NodePort) +10\\.\\d+\\.\\d+\\.\\d+ `, 'm'))
  for (const url of ['http://hostnames.default.svc.cluster.local:80/', `http://${nodeIps[2]}:30225/`])
    assert.match(live.shown, new RegExp(`^${url} +\\S.* hostnames-[0-9a-z]+-[0-9a-z]{5} +\\d`, 'm'))
})

test('hostnames: by address and by name, from a pod, a node; each pod answers', { skip }, () => {
  const pods = names('app=hostnames')
  assert.equal(pods.length, 3)
  // That one of three is not met in 80 tries has a chance of 3 x (2/3)^80 = 3e-14.
  reachesAll(live.answers('pod/looker', 'http://hostnames/', 80), pods)
  reachesAll(live.answers('node/node-1', `http://${clusterIp('hostnames')}/`, 80), pods)
})

test('hostnames: its NodePort answers on every node, outside and from this machine', { skip }, () => {
  const pods = names('app=hostnames')
  for (const ip of nodeIps) reachesAll(live.answers('client', `http://${ip}:30225/`, 80), pods)
  for (const ip of nodeIps) assert.ok(pods.includes(run(['curl', '-sS', '-m', '5', `${ip}:30225`])))
})

test('clusteripservice: 200 connections are spread over 4 pods', { skip }, () => {
  const answers = live.answers('pod/examplepod', `http://${clusterIp('clusteripservice')}:8080/`, 200)
  const hosts = [...names('example=forservice').filter((name) => name !== 'examplepod'), 'pod_example']
  reachesAll(
    answers,
    hosts.map((host) => `<p>The host is ${host}</p>`),
  )
  assert.equal(answers.length, 200)
  const [least, most] = likelyCounts(200, 1 / 4, 1e-10)
  for (const [answer, count] of tally(answers))
    assert.ok(count >= least && count <= most, `${answer}: ${count} of 200, not ${least} to ${most}`)
})

test('a pod reaches itself by its Service', { skip }, () => {
  const [pod] = live.pods('app=echo')
  const { text } = live.sh('pod/echo', 'curl -sS -m 5 echo.default/hostname; echo; curl -sS -m 5 echo.default/clientip')
  const [host, client] = text.split('\n')
  assert.equal(host, 'echo')
  // Its own packets come back masqueraded: by the bridge's address.
  assert.notEqual(client!.split(':')[0], pod!.ip)
  assert.equal(client!.split(':')[0], pod!.ip.replace(/\d+$/, '1'))
})

test('my-nginx: NodePorts 8080 and 443 of the wider range', { skip }, () => {
  for (const ip of nodeIps) {
    assert.match(live.sh('client', `curl -sS -m 5 http://${ip}:8080/`).text, /Welcome to nginx/)
    assert.match(live.sh('client', `curl -ksS -m 5 https://${ip}:443/`).text, /Welcome to nginx/)
  }
  assert.match(live.sh('pod/looker', 'curl -ksS -m 5 https://my-nginx/').text, /Welcome to nginx/)
})

test('ExternalName: a CNAME, no address and no rule', { skip }, () => {
  live.kubectl('create', 'namespace', 'elsewhere')
  live.kubectl('apply', '-n', 'elsewhere', '-f', 'examples/externalname.yaml')
  const name = 'my-service.elsewhere.svc.cluster.local'
  return until(() => {
    const { text } = live.sh('pod/looker', `dig +noall +answer CNAME ${name}`)
    assert.match(text, new RegExp(`^${name}\\.\\s+\\d+\\s+IN\\s+CNAME\\s+my\\.database\\.example\\.com\\.$`, 'm'))
    assert.equal(live.value('.spec.clusterIP', 'service', 'my-service', '-n', 'elsewhere'), '')
    assert.ok(!rulesOf('node-1').includes('elsewhere/my-service'))
  })
})

test('externalIPs: the address answers at every place that finds the way', { skip }, () => {
  const pods = names('app=MyApp')
  for (const place of ['client', 'node/node-3', 'pod/looker'])
    reachesAll(live.answers(place, 'http://80.11.12.10/', 40), pods)
})

test('headless: a name for all pods', { skip }, () => {
  const { text } = live.sh('pod/looker', 'dig +short +search headless')
  assert.deepEqual(
    text.split('\n').sort(),
    live
      .pods('app=hostnames')
      .map(({ ip }) => ip)
      .sort(),
  )
})

test('DNS: SRV names the ports, PTR the Service', { skip }, () => {
  const name = 'hostnames.default.svc.cluster.local.'
  assert.equal(live.sh('pod/looker', `dig +short SRV _default._tcp.${name}`).text, `0 100 80 ${name}`)
  assert.equal(live.sh('pod/looker', `dig +tcp +short SRV _default._tcp.${name}`).text, `0 100 80 ${name}`)
  assert.equal(live.sh('pod/looker', `dig +short -x ${clusterIp('hostnames')}`).text, name)
  const targets = live.sh('pod/looker', 'dig +short SRV _http._tcp.headless.default.svc.cluster.local').text.split('\n')
  assert.equal(targets.length, 3)
  for (const line of targets) {
    const [priority, , port, target] = line.split(' ')
    assert.deepEqual([priority, port], ['0', '9376'])
    const { text } = live.sh('pod/looker', `dig +short -x $(dig +short ${target})`)
    assert.ok(text.split('\n').includes(target!), text)
  }
})

test('DNS: nslookup kubernetes.default from a pod', { skip }, () => {
  const { status, text } = live.sh('pod/examplepod', 'nslookup kubernetes.default')
  assert.equal(status, 0)
  assert.match(text, /^Server:\s+10\.96\.0\.10$/m)
  assert.match(text, /^Name:\s+kubernetes\.default\.svc\.cluster\.local\nAddress: 10\.96\.0\.1$/m)
})

test('UDP: by cluster IP and by NodePort on every node', { skip }, () => {
  const ask = (place: string, host: string, port: number) => {
    const script = `import socket; s=socket.socket(2,2); s.settimeout(5); s.sendto(b"hostname",("${host}",${port})); print(s.recv(99).decode())`
    return live.sh(place, `python3 -c '${script}'`).text
  }
  assert.equal(ask('pod/looker', 'echo', 80), 'echo')
  for (const ip of nodeIps) assert.equal(ask('client', ip, 30302), 'echo')
})

test('externalTrafficPolicy Local: the client’s address, and only where a pod is', { skip }, () => {
  const ask = (ip: string, port: number, seconds = 5) =>
    live.sh('client', `curl -sS -m ${seconds} http://${ip}:${port}/clientip`)
  for (const ip of nodeIps) assert.match(ask(ip, 30302).text, /^10\.(168|244)\./)
  assert.match(ask(nodeIps[0]!, 30301).text, new RegExp(`^${clientIp}:`))
  // Dropped, not refused: curl runs into its time limit.
  for (const ip of nodeIps.slice(1)) assert.equal(ask(ip, 30301, 1).status, 28)
  // From inside the cluster every node finds the pod.
  assert.equal(live.sh('pod/looker', `curl -sS -m 5 http://${nodeIps[1]}:30301/hostname`).text, 'echo')
})

test('session affinity: a client stays with its pod', { skip }, () => {
  for (const place of ['pod/looker', 'node/node-1', 'pod/echo'])
    assert.equal(new Set(live.answers(place, `http://${clusterIp('sticky')}/`, 20)).size, 1)
})

test('no endpoints: refused at once', { skip }, () => {
  for (const [place, url] of [
    ['pod/looker', 'http://nobody/'],
    ['node/node-1', `http://${clusterIp('nobody')}/`],
    ['client', `http://${nodeIps[1]}:30303/`],
  ] as const) {
    const { status, text } = live.sh(place, `curl -sS -m 5 ${url}`)
    assert.equal(status, 7, text)
  }
})

test('a pod that is not ready leaves the endpoints and gets no connection', { skip }, async () => {
  const [leaver, stayer] = live.pods('app=gated')
  const both = [leaver!, stayer!].map(({ ip }) => `${ip}:8080`).sort()
  await until(() => assert.deepEqual(live.endpoints('gated'), both))
  live.sh(`pod/${leaver!.name}`, 'rm /ready')
  await until(() => assert.deepEqual(live.endpoints('gated'), [`${stayer!.ip}:8080`]))
  await until(() => assert.ok(!rulesOf('node-2').includes(`${leaver!.ip} . 8080`)))
  // With both, 40 answers from one pod had a chance of 2^-40.
  reachesAll(live.answers('pod/looker', 'http://gated/hostname', 40), [stayer!.name])
  live.sh(`pod/${leaver!.name}`, 'touch /ready')
  await until(() => assert.deepEqual(live.endpoints('gated'), both))
  await until(() => reachesAll(live.answers('pod/looker', 'http://gated/hostname', 40), [leaver!.name, stayer!.name]))
})

/** Every node's rules hold these endpoints of a Service and no others, and all of them answer. */
async function settles(service: string, selector: string, port: number, count: number): Promise<void> {
  const wanted = await until(() => {
    const pods = live.pods(selector)
    assert.equal(pods.length, count)
    const addresses = pods.map(({ ip }) => `${ip}:${port}`).sort()
    assert.deepEqual(live.endpoints(service), addresses)
    return addresses
  })
  for (const node of nodes)
    await until(() => {
      const rules = rulesOf(node).matchAll(new RegExp(`"default/${service}(?::\\w+)?" : ([\\d.]+) \\. (\\d+)`, 'g'))
      assert.deepEqual([...rules].map(([, ip, to]) => `${ip}:${to}`).sort(), wanted)
    })
}

test('scale up and down; a deleted pod is replaced; a restart leaves no stuck state', { skip }, async () => {
  live.kubectl('scale', 'deployment', 'hostnames', '--replicas=5')
  live.kubectl('rollout', 'status', 'deployment', 'hostnames', '--timeout=30s')
  await settles('hostnames', 'app=hostnames', 9376, 5)
  reachesAll(live.answers('pod/looker', 'http://hostnames/', 130), names('app=hostnames'))

  live.kubectl('scale', 'deployment', 'hostnames', '--replicas=2')
  await settles('hostnames', 'app=hostnames', 9376, 2)
  const [gone] = names('app=hostnames')
  live.kubectl('delete', 'pod', gone!, '--grace-period=1')
  await settles('hostnames', 'app=hostnames', 9376, 2)
  assert.ok(!names('app=hostnames').includes(gone!))

  const before = names('app=hostnames')
  live.kubectl('rollout', 'restart', 'deployment', 'hostnames')
  live.kubectl('rollout', 'status', 'deployment', 'hostnames', '--timeout=30s')
  await settles('hostnames', 'app=hostnames', 9376, 2)
  assert.deepEqual(
    names('app=hostnames').filter((name) => before.includes(name)),
    [],
  )
  reachesAll(live.answers('pod/looker', 'http://hostnames/', 40), names('app=hostnames'))
})

test('my-nginx without port is refused in Kubernetes’ words', { skip }, () => {
  live.kubectl('delete', 'service', 'my-nginx')
  const { status, stderr } = live.tryKubectl(['apply', '-f', 'examples/my-nginx-without-port.yaml'])
  assert.equal(status, 1)
  assert.match(stderr, /^The Service "my-nginx" is invalid: /m)
  for (const index of [0, 1])
    assert.ok(
      stderr.includes(`spec.ports[${index}].port: Invalid value: 0: must be between 1 and 65535, inclusive`),
      stderr,
    )
})
