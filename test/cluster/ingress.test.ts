// Ingresses on a whole cluster: the scenarios of Kubernetes' ingress conformance suite (default_backend, host_rules,
// ingress_class, load_balancing, path_rules), and what it does not ask for: objects that are wrong, certificates that
// change, edits under WebSockets, and kills.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signalProcess } from '#kernel/process.ts'
import { requireCluster } from '#lab/cluster-file.ts'
import { inhabitants, wordsOf } from '#lab/inhabitants.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl', 'haproxy'] })
const authority = createAuthority({ commonName: 'test' })
let live: LiveCluster
let address: string
before(async () => {
  if (skip !== false) return
  live = new LiveCluster('ingress', ['--ingress', '--nodes', '1', '-f', 'test/cluster/testdata/ingress.yaml'])
  address = live.value('.status.loadBalancer.ingress[0].ip', 'service', 'fairway-ingress', '-n', 'kube-system')
  secret('conformance-tls', ['foo.bar.test'])
  await until(() => assert.equal(addressOf('default-backend'), address))
})
after(() => live?.down())

const addressOf = (ingress: string) => live.value('.status.loadBalancer.ingress[*].ip', 'ingress', ingress)

/** A Secret with a certificate for these names, new or in place of the old one. */
function secret(name: string, dnsNames: readonly string[]): void {
  const { cert, key } = issueCertificate(authority, { commonName: dnsNames[0]!, dnsNames, usages: ['server'] })
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name },
    data: { 'tls.crt': encode(cert), 'tls.key': encode(key) },
  }
  assert.equal(live.tryKubectl(['apply', '-f', '-'], JSON.stringify(object)).status, 0)
}

type Asked = readonly [method: string, host: string, path: string, want: string]

/** `STATUS SERVICE`, or the status alone where no pod has answered; the pods answer with their names. */
function ask(requests: readonly Asked[]): readonly string[] {
  // One curl for all of them.
  const script = requests
    .map(
      ([method, host, path]) =>
        `-s -m 5 -X ${method} -w ' %{http_code}\\n' -H 'Host: ${host}' 'http://${address}${path}'`,
    )
    .join(' --next ')
  return live
    .sh('client', `curl ${script} | grep -E ' [0-9]{3}$'`)
    .text.split('\n')
    .map((line) => {
      const [, pod, status] = /^(?:(.*)-[a-z0-9]+-[a-z0-9]+)?.*?(\d{3})$/.exec(line) ?? []
      return pod === undefined ? (status ?? line) : `${status} ${pod}`
    })
}

async function asks(requests: readonly Asked[]): Promise<void> {
  const want = requests.map(([method, host, path, result]) => `${method} ${host}${path} -> ${result}`)
  await until(() => {
    const answers = ask(requests)
    assert.deepEqual(
      requests.map(([method, host, path], i) => `${method} ${host}${path} -> ${answers[i]}`),
      want,
    )
  })
}

test('default backend: any method, host and path', { skip }, () =>
  asks([
    ['GET', 'my-host', '/', '200 web-a'],
    ['GET', 'my-host', '/path', '200 web-a'],
    ['POST', 'some-host', '/', '200 web-a'],
    ['PUT', 'some-host', '/resource', '200 web-a'],
    ['DELETE', 'some-host', '/resource', '200 web-a'],
    ['PATCH', 'my-host', '/resource', '200 web-a'],
  ]),
)

test('hosts: precise, wildcard of one label, ports by number and by name', { skip }, () =>
  asks([
    ['GET', 'foo.bar.test', '/', '200 web-b'],
    ['GET', 'a.wild.test', '/', '200 web-c'],
    ['GET', 'a.b.wild.test', '/miss', '200 web-a'],
    ['GET', 'wild.test', '/miss', '200 web-a'],
    ['GET', 'subdomain.bar.test', '/miss', '200 web-a'],
  ]),
)

test('paths: Exact, Prefix by elements, the longest first', { skip }, () =>
  asks([
    // exact
    ['GET', 'exact.test', '/foo', '200 web-b'],
    ['GET', 'exact.test', '/FOO', '200 web-a'],
    ['GET', 'exact.test', '/foo/', '200 web-a'],
    ['GET', 'exact.test', '/bar', '200 web-a'],
    // prefix
    ['GET', 'prefix.test', '/foo', '200 web-b'],
    ['GET', 'prefix.test', '/foo/', '200 web-b'],
    ['GET', 'prefix.test', '/FOO', '200 web-a'],
    ['GET', 'prefix.test', '/aaa/bbb', '200 web-c'],
    ['GET', 'prefix.test', '/aaa/bbb/', '200 web-c'],
    ['GET', 'prefix.test', '/aaa/bbb/ccc', '200 web-c'],
    ['GET', 'prefix.test', '/aaa', '200 web-b'],
    ['GET', 'prefix.test', '/aaaccc', '200 web-a'],
    ['GET', 'prefix.test', '/aaa/ccc', '200 web-b'],
    ['GET', 'prefix.test', '/aaa/bbbxyz', '200 web-b'],
    // both
    ['GET', 'mixed.test', '/foo', '200 web-b'],
    ['GET', 'mixed.test', '/foo/', '200 web-c'],
    ['GET', 'mixed.test', '/foo/x', '200 web-c'],
    // a slash at the end
    ['GET', 'slash.test', '/foo/', '200 web-b'],
    ['GET', 'slash.test', '/foo', '200 web-a'],
    ['GET', 'slash.test', '/aaa/bbb', '200 web-c'],
    ['GET', 'slash.test', '/aaa/bbb/', '200 web-c'],
  ]),
)

test('load balancing: every pod of ten gets some of 100 requests', { skip }, () => {
  const { text } = live.sh('client', `curl -s -w '\\n' -H Host:many.test 'http://${address}/?[1-100]'`)
  const answers = text.split('\n')
  assert.equal(answers.length, 100)
  assert.equal(new Set(answers).size, 10)
})

test('a class of nobody: the status stays empty, and so does what is not ours', { skip }, async () => {
  await until(() => assert.equal(addressOf('hosts'), address))
  assert.equal(addressOf('foreign'), '')
})

/** The subject of the certificate that a name gets. */
const certificateOf = (name: string) =>
  live.sh(
    'client',
    `echo | openssl s_client -connect ${address}:443 -servername ${name} 2>/dev/null | openssl x509 -noout -serial -ext subjectAltName`,
  ).text

test('TLS by SNI, verified; another certificate is followed without a restart', { skip }, async () => {
  await until(() => assert.match(certificateOf('foo.bar.test'), /DNS:foo\.bar\.test/))
  assert.match(certificateOf('other.test'), /DNS:ingress\.invalid/)
  const first = certificateOf('foo.bar.test')
  const starts = proxyStarts()
  secret('conformance-tls', ['foo.bar.test', 'more.bar.test'])
  await until(() => assert.match(certificateOf('foo.bar.test'), /DNS:more\.bar\.test/))
  assert.notEqual(certificateOf('foo.bar.test'), first)
  assert.equal(proxyStarts(), starts)
  const { text } = live.sh(
    'client',
    `curl -sk --http2 -m 5 --resolve foo.bar.test:443:${address} -w ' %{http_version} %{http_code}' https://foo.bar.test/`,
  )
  assert.match(text, /^web-b-\S+ 2 200$/)
})

const pod = () => live.value('.items[0].metadata.name', 'pods', '-n', 'kube-system', '-l', 'app=fairway-ingress')
const inPod = (script: string) => live.tryKubectl(['exec', '-n', 'kube-system', pod(), '--', 'sh', '-c', script])
const proxyStarts = () =>
  /^fairway_ingress_proxy_starts_total (\d+)$/m.exec(inPod('curl -s http://127.0.0.1:10254/metrics').stdout)?.[1]

test('what endpoints are told of the client, and what an annotation changes', { skip }, async () => {
  const header = (name: string) =>
    live.answers('client', `-H X-Forwarded-For:6.6.6.6 -H Host:net.test 'http://${address}/header?key=${name}'`, 1)[0]
  await until(() => assert.equal(header('x-forwarded-for'), '203.0.113.10'))
  assert.equal(header('x-forwarded-proto'), 'http')
  assert.equal(header('x-forwarded-host'), 'net.test')
  assert.match(header('x-request-id')!, /^[0-9a-f-]{36}$/)
  const status = (words: string) =>
    live
      .sh(
        'client',
        `curl -s -o /dev/null -m 5 -w '%{http_code} %{redirect_url}' -H Host:limited.test ${words} http://${address}/echo`,
      )
      .text.trim()
  await until(() => assert.equal(status('-d 12345678'), '200'))
  assert.equal(status('-d 123456789'), '413')
  assert.equal(status('-H Transfer-Encoding:chunked -d 1'), '411')
  assert.equal(status('-H Host:redirected.test').replace(address, ''), '200')
})

test('a Service of type ExternalName leads to where its name leads', { skip }, () =>
  asks([['GET', 'elsewhere.test', '/', '200 web-c']]),
)

test('the access log says who asked for what, where it went, and how it ended', { skip }, async () => {
  ask([
    ['GET', 'foo.bar.test', '/logged?secret=1', ''],
    ['GET', 'wrong.test', '/gone', ''],
  ])
  const end = String.raw`queue_ms=-?\d+ connect_ms=-?\d+ response_ms=-?\d+ total_ms=\d+ retries=0 end=`
  await until(() => {
    const lines = live.kubectl('logs', '-n', 'kube-system', pod()).split('\n')
    const line = (host: string, path: string) =>
      lines.findLast((text) => text.includes(` host="${host}" path=${path} `)) ?? ''
    const begin = String.raw`access client=203\.0\.113\.10:\d+ proto=HTTP/1\.1 tls=- method=GET host="\S+" path=\S+`
    assert.match(
      line('foo.bar.test', '/logged'),
      new RegExp(`${begin} status=200 bytes=\\d+ ingress=default/hosts endpoint=10\\.244\\.\\S+:9376 ${end}--$`),
    )
    assert.match(
      line('wrong.test', '/gone'),
      new RegExp(`${begin} status=503 bytes=\\d+ ingress=default/wrong endpoint=-:- ${end}SC$`),
    )
  })
})

test('wrong objects are told of and harm nothing else', { skip }, async () => {
  await until(() => {
    const { stdout } = live.tryKubectl(['describe', 'ingress', 'wrong'])
    for (const reason of ['NoService', 'NoServicePort', 'NoCertificate', 'BadAnnotation'])
      assert.match(stdout, new RegExp(`Warning +${reason} `))
  })
  await until(() => assert.match(live.kubectl('describe', 'ingress', 'late'), /Conflict .*default\/hosts is older/))
  await asks([
    ['GET', 'wrong.test', '/gone', '503'],
    ['GET', 'wrong.test', '/right', '200 web-b'],
  ])
})

test('the data plane is killed, then the controller: both come back by themselves', { skip }, async () => {
  assert.equal(inPod('kill -9 $(cat /run/fairway-ingress/pid)').status, 0)
  await asks([['GET', 'foo.bar.test', '/', '200 web-b']])
  // Found in this cluster's namespaces: there may be others beside it, with a controller like this.
  const [controller] = inhabitants(requireCluster(live.name).paths).filter(({ pid }) =>
    wordsOf(pid).includes('--publish-service'),
  )
  signalProcess(controller!, 'SIGKILL')
  await until(() =>
    assert.equal(live.value('.status.containerStatuses[0].restartCount', 'pod', '-n', 'kube-system', pod()), '1'),
  )
  live.kubectl(
    'patch',
    'ingress',
    'late',
    '--type=merge',
    '-p',
    '{"spec":{"rules":[{"host":"later.test","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"web-c","port":{"number":80}}}}]}}]}}',
  )
  await asks([['GET', 'later.test', '/', '200 web-c']])
})
