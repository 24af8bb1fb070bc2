import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCorefile, type ServerConfig } from '#dns/corefile/config.ts'
import { rewrite } from '#dns/corefile/rewrite.ts'
import { kubeadmCorefile } from '#test/kubeadm-corefile.ts'

const usual = `${kubeadmCorefile}# a stub domain
example.org:53 {
    forward . 192.0.2.1:5353 [2001:db8::1]:53
}
`

function only(text: string): ServerConfig {
  const read = readCorefile(text)
  assert.ok('servers' in read, JSON.stringify(read))
  return read.servers[0]!
}

test('corefile: the usual one, with a stub domain', () => {
  const read = readCorefile(usual)
  assert.ok('servers' in read, JSON.stringify(read))
  const [main, stub] = read.servers
  assert.deepEqual(main!.zones, [''])
  assert.deepEqual(main!.health, { host: '', port: 8080, lameduckMs: 5000 })
  assert.deepEqual(main!.ready, { host: '', port: 8181 })
  assert.deepEqual(main!.metrics, { host: '', port: 9153 })
  assert.deepEqual(main!.kubernetes, {
    zones: ['cluster.local', 'in-addr.arpa', 'ip6.arpa'],
    ttl: 30,
    pods: 'insecure',
    endpointPodNames: false,
    ignoreEmptyServices: false,
    fallthrough: ['in-addr.arpa', 'ip6.arpa'],
    namespaces: [],
    startupTimeoutMs: 5000,
  })
  assert.equal(main!.forward[0]!.maxConcurrent, 1000)
  assert.equal(main!.cache!.success.maxTtl, 30)
  assert.deepEqual(main!.cache!.disableDenial, ['cluster.local'])
  assert.deepEqual([main!.loop, main!.loadbalance, main!.errors, main!.log], [true, true, true, []])
  assert.deepEqual(stub!.zones, ['example.org'])
  assert.deepEqual(stub!.forward[0]!.to, ['192.0.2.1:5353', '[2001:db8::1]:53'])
})

test('corefile: zones may be networks, several, without a port', () => {
  assert.deepEqual(only('10.0.0.0/8 a.test, B.test. {\n whoami\n}'.replace('whoami', 'errors')).zones, [
    '10.in-addr.arpa',
    'a.test',
    'b.test',
  ])
  assert.equal(only('. {\n errors\n}').port, 53)
})

test('corefile: what is wrong is said with its line', () => {
  const rows: [text: string, line: number, message: RegExp][] = [
    ['', 1, /no server block/],
    ['.:53 {\n  errors\n', 1, /never closed/],
    ['.:53\n  errors\n}', 1, /expected "\{"/],
    ['.:53 {\n  autopath\n}', 2, /unknown plugin "autopath".*kubernetes/],
    ['.:53 {\n  kubernetes cluster.local {\n    podz on\n  }\n}', 3, /unknown option "podz" of kubernetes/],
    ['.:53 {\n  kubernetes cluster.local {\n    pods maybe\n  }\n}', 3, /pods is one of disabled, insecure, verified/],
    ['.:53 {\n  kubernetes in-addr.arpa\n}', 2, /no reverse zone/],
    ['.:53 {\n  kubernetes a {\n ttl 4000\n }\n}', 3, /from 0 to 3600/],
    ['.:53 {\n  forward .\n}', 2, /at least one upstream/],
    ['.:99999 {\n}', 1, /99999 is no port/],
    ['tls://. {\n}', 1, /tls:\/\/ is not served/],
    ['.:53 {\n}\n.:53 {\n}', 3, /already served/],
    ['.:53 {\n  reload 1s\n}', 2, /every 2s/],
    ['.:53 {\n  health {\n lameduck soon\n }\n}', 3, /no duration/],
    ['.:53 {\n  rewrite class IN CH\n}', 2, /cannot rewrite "class"/],
    ['.:53 {\n  rewrite name regex ( b\n}', 2, /no regular expression/],
    ['.:53 {\n  hosts {\n   nonsense\n }\n}', 3, /unknown option "nonsense" of hosts/],
    ['.:53 {\n  log "unclosed\n}', 2, /never closed/],
    ['.:53 {\n  errors {\n    consolidate 5m ".*"\n  }\n}', 3, /errors has no options/],
    ['.:53 {\n  loop twice\n}', 2, /loop does not take "twice"/],
    ['.:53 {\n  loadbalance weighted w\n}', 2, /does not take|only round_robin/],
    ['.:53 {\n  log . "{remote}"\n}', 2, /log has one format/],
    ['.:53 {\n  ready {\n    monitor continuously\n  }\n}', 3, /ready has no options/],
    ['.:53 {\n  bind eth0\n}', 2, /bind takes addresses/],
    ['.:53 {\n  forward . 192.0.2.1 {\n    health_check 1s no_rec\n  }\n}', 3, /does not take "no_rec"/],
    ['.:53 {\n  forward . 192.0.2.1 {\n    tls\n  }\n}', 3, /unknown option "tls" of forward/],
    ['.:53 {\n  cache 30 {\n    success many\n  }\n}', 3, /whole number from 1/],
    ['.:53 {\n  cache 30 {\n    serve_stale 1h verify\n  }\n}', 3, /does not take "verify"/],
    ['.:53 {\n  cache 30\n  cache 60\n}', 3, /cache stands twice/],
    ['.:53 {\n  kubernetes a {\n    ttl 30 {\n      more\n    }\n  }\n}', 4, /ttl has no options, so "more"/],
    ['.:53 {\n  kubernetes a {\n    namespaces\n  }\n}', 3, /namespaces takes one word/],
    ['.:53 {\n  kubernetes a {\n    labels\n  }\n}', 3, /labels takes one word/],
    ['.:53 {\n  kubernetes a {\n    ignore nothing\n  }\n}', 3, /ignore is one of empty_service/],
    ['.:53 {\n  forward . tls://192.0.2.1\n}', 2, /forward asks servers by their address.*tls/],
    ['.:53 {\n  forward . dns.example\n}', 2, /forward asks servers by their address/],
    ['.:53 {\n  forward . 192.0.2.1:0\n}', 2, /forward asks servers by their address/],
    ['.:53 {\n  rewrite type A AAAA TXT\n}', 2, /unknown words "TXT"/],
    ['.:53 {\n  hosts {\n    ttl 60 70\n  }\n}', 3, /unknown option "ttl 60 70"/],
    ['.:53 {\n  hosts {\n    10.0.0.1\n  }\n}', 3, /unknown option "10.0.0.1"/],
    ['(shared) {\n  errors\n}', 1, /"\(shared\)" is no zone/],
    ['.:53 {\n  import shared\n}', 2, /unknown plugin "import"/],
    ['.:53 {\n  hosts {\n    reload often\n }\n}', 3, /reload DURATION/],
  ]
  for (const [text, line, message] of rows) {
    const read = readCorefile(text)
    assert.ok('error' in read, text)
    assert.equal(read.error.line, line, text)
    assert.match(read.error.message, message)
  }
})

test('corefile: variables of the environment are filled in', () => {
  const read = readCorefile('.:{$PORT} {\n  forward . {%UPSTREAM%}\n}', { PORT: '1053', UPSTREAM: '192.0.2.9' })
  assert.ok('servers' in read)
  assert.deepEqual([read.servers[0]!.port, read.servers[0]!.forward[0]!.to], [1053, ['192.0.2.9']])
})

test('rewrite: names and types, in order', () => {
  const rules = only(`. {
    rewrite type ANY HINFO
    rewrite name exact old.example new.example
    rewrite continue name suffix .corp .example answer auto
    rewrite name regex (.*)\\.v1\\.test\\.$ {1}.v2.test
  }`).rewrite
  const rows: [asked: string, type: number, name: string, lookedUp: number, restore: boolean][] = [
    ['old.example', 1, 'new.example', 1, true],
    ['a.corp', 1, 'a.example', 1, true],
    ['x.v1.test', 1, 'x.v2.test', 1, false],
    ['x.other', 255, 'x.other', 13, false],
  ]
  for (const [asked, type, name, lookedUp, restore] of rows)
    assert.deepEqual(rewrite(rules, { name: asked, type }), { name, type: lookedUp, restore }, asked)
})
