// Every file of examples/: it says how to try it, it does what it says, or it is refused with the words it promises.
import * as assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'python3'] })
let live: LiveCluster
before(() => {
  if (skip === false) live = new LiveCluster('examples', ['--nodes', '2', '--service-node-port-range', '1-65535'])
})
after(() => live?.down())

const files = readdirSync('examples').filter((name) => name.endsWith('.yaml'))

for (const name of files)
  test(`examples/${name} says what it shows and how to try it`, () => {
    const [first = '', ...lines] = readFileSync(`examples/${name}`, 'utf8').split('\n')
    assert.match(first, /^# \S.{30}/)
    const comment = lines
      .slice(
        0,
        lines.findIndex((line) => !line.startsWith('#')),
      )
      .join('\n')
    assert.match(comment, /^# {3}\.\/fairway up /m)
    assert.match(comment, /examples\/\S+\.yaml/)
  })

/** Applies a file as its reader would; what it brought along is taken away by `forget`. */
function apply(name: string): string {
  const { status, stdout, stderr } = live.fairway('up', '-f', `examples/${name}`)
  assert.equal(status, 0, `${stdout}${stderr}`)
  return stdout
}
const forget = (name: string) => live.kubectl('delete', '-f', `examples/${name}`, '--wait=false')
const fromClient = (url: string) => live.sh('client', `curl -sSk -m 3 ${url}`).text
const nodePort = (service: string, at: number) => live.value(`.spec.ports[${at}].nodePort`, 'service', service)
const externalIp = (service: string) => live.value('.status.loadBalancer.ingress[0].ip', 'service', service)

test('an external IP: who finds it, and what takes it away', { skip }, async () => {
  assert.match(apply('externalips.yaml'), /http:\/\/80.11.12.10:80\/ +client \(203.0.113.10\) +my-app-/)
  assert.equal(live.sh('router', 'ip route del 80.11.12.10').status, 0)
  assert.match(fromClient('http://80.11.12.10/'), /unreachable|connect|timed out/i)
  for (const node of ['node-1', 'node-2'])
    assert.match(live.sh(`node/${node}`, 'curl -sS -m 3 http://80.11.12.10/').text, /^my-app-/)
  assert.equal(live.sh('router', 'ip route add 80.11.12.10 via 10.168.0.3').status, 0)
  await until(() => assert.match(fromClient('http://80.11.12.10/'), /^my-app-/))
  forget('externalips.yaml')
})

test('an external name', { skip }, () => {
  apply('externalname.yaml')
  const { text } = live.sh('pod/looker', 'nslookup -type=CNAME my-service.default.svc.cluster.local')
  assert.match(text, /canonical name = my\.database\.example\.com/)
  forget('externalname.yaml')
})

test('hostnames, then the same Service as a NodePort', { skip }, async () => {
  apply('hostnames.yaml')
  const address = live.value('.spec.clusterIP', 'service', 'hostnames')
  assert.match(fromClient('http://10.168.0.2:30225/'), /^hostnames-/)
  live.kubectl('delete', 'service', 'hostnames-nodeport')
  apply('hostnames-nodeport.yaml')
  assert.equal(live.value('.spec.clusterIP', 'service', 'hostnames'), address)
  await until(() => assert.match(fromClient('http://10.168.0.3:30225/'), /^hostnames-/))
  forget('hostnames-nodeport.yaml')
  live.kubectl('delete', 'deployment', 'hostnames', '--wait=false')
})

test('nginx on ports that are named, and on any', { skip }, () => {
  assert.match(apply('my-nginx.yaml'), /:8080\/ .*200 Welcome to nginx/)
  assert.match(fromClient('https://10.168.0.2:443/'), /Welcome to nginx/)
  forget('my-nginx.yaml')
  apply('my-nginx-any-port.yaml')
  assert.match(fromClient(`http://10.168.0.2:${nodePort('my-nginx', 0)}/`), /Welcome to nginx/)
  assert.match(fromClient(`https://10.168.0.3:${nodePort('my-nginx', 1)}/`), /Welcome to nginx/)
  forget('my-nginx-any-port.yaml')
})

test('a load balancer', { skip }, () => {
  apply('example-service.yaml')
  assert.match(fromClient(`http://${externalIp('example-service')}:8765/`), /^example-/)
  forget('example-service.yaml')
})

test('pods of different origin behind one Service', { skip }, async () => {
  apply('clusteripservice.yaml')
  const seen = new Set<string>()
  await until(() => {
    for (const answer of live.answers('pod/examplepod', 'http://clusteripservice:8080/', 8)) seen.add(answer)
    assert.equal(seen.size, 4)
  })
  assert.ok(seen.has('<p>The host is pod_example</p>'))
  forget('clusteripservice.yaml')
})

test('a claim that nobody provides for', { skip }, () => {
  apply('claim.yaml')
  assert.equal(live.value('.status.phase', 'pvc', 'claim1'), 'Pending')
  forget('claim.yaml')
})

for (const [name, message] of [
  ['my-nginx-without-port.yaml', /spec.ports\[0\].port: /],
  ['replicapool.yaml', /examples\/replicapool.yaml:6: this cluster knows no kind "Pool" in apiVersion "ceph.rook.io/],
] as const)
  test(`refused: ${name}`, { skip }, () => {
    const { status, stderr } = live.fairway('up', '-f', `examples/${name}`)
    assert.equal(status, 1)
    assert.match(stderr, message)
  })
