// Each annotation that is like one of ingress-nginx, under its name, with real requests. What is ours alone is tried in
// requests.netns.test.ts.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { secrets } from '#api/core.ts'
import { ingresses } from '#api/networking.ts'
import { nginxAnnotationNames, nginxPrefix } from '#ingress/annotations/annotations.ts'
import { createAuthority, issueCertificate } from '#pki/certificate.ts'
import { need } from '#test/need.ts'
import { RunningIngress } from '#test/running-ingress.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['haproxy', 'curl'] })
const running = new RunningIngress()
const curl = (host: string, path: string, ...words: readonly string[]) => running.curl(host, path, ...words)
const tried = new Set<string>()
let three: readonly number[] = []
const nginx = (annotations: Readonly<Record<string, string>>) => {
  for (const name of Object.keys(annotations)) tried.add(name)
  return Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`${nginxPrefix}${name}`, value]))
}
/** An Ingress of its own host, named like it. */
const site = (name: string, annotations: Readonly<Record<string, string>>, service = 'echo', path = '/') =>
  running.ingress(name, `${name}.test`, path, service, nginx(annotations))
const header = (name: string, value: string) => ['-H', `${name}: ${value}`]
/** The headers of an answer, by their names in lower case. */
async function headersOf(host: string, path: string, ...words: readonly string[]): Promise<Map<string, string>> {
  const text = await curl(host, path, '-i', ...words)
  return new Map([...text.matchAll(/^([\w-]+): (.*?)\r?$/gm)].map(([, name, value]) => [name!.toLowerCase(), value!]))
}
const where = ['-o', '/dev/null', '-w', '%{http_code} %{redirect_url}']
const encode = (text: string) => Buffer.from(text).toString('base64')
const userList = (name: string, text: string) =>
  running.client.seed(secrets, { metadata: { name, namespace: 'default' }, data: { auth: encode(text) } })

before(async () => {
  if (skip !== false) return
  running.service('echo', [await running.pod('echo')])
  running.service('other', [await running.pod('other')])
  const told = await running.pod('told', ({ headers, url }, response) => {
    response.setHeader('X-Powered-By', 'pod')
    response.end(`${url} ${headers['x-told'] ?? ''} ${headers['x-forwarded-prefix'] ?? ''} ${headers.host}`)
  })
  running.service('told', [told])
  three = [await running.pod('one'), await running.pod('two'), await running.pod('three')]
  running.service('three', three)
  await running.start({ trustedProxies: ['127.0.0.9/32'] })
})
after(() => running.stop())

test('rewrite-target: groups of a pattern; the longest path as written first', { skip }, async () => {
  const rewrite = nginx({ 'rewrite-target': '/$2', 'use-regex': 'true' })
  running.ingress('api', 'app.test', '/api(/|$)(.*)', 'echo', rewrite, 'ImplementationSpecific')
  running.ingress('app', 'app.test', '/', 'other')
  running.ingress('deeper', 'app.test', '/api/long/enough/to/come/before', 'other')
  running.ingress('exact', 'app.test', '/api/exact', 'other', {}, 'Exact')
  for (const [path, want] of [
    ['/api/x/y?z=1', 'echo /x/y?z=1'],
    ['/api', 'echo /'],
    ['/api/', 'echo /'],
    ['/API/Up', 'echo /Up'],
    ['/api/a|b', 'echo /a|b'],
    ['/apix', 'other /apix'],
    ['/', 'other /'],
    ['/api/long/enough/to/come/before/it', 'other /api/long/enough/to/come/before/it'],
    ['/api/exact', 'other /api/exact'],
  ] as const)
    await until(async () => assert.equal(await curl('app.test', path), `${want} 200`))
  assert.match(await curl('APP.test:8080', '/api/x'), /^echo \/x 200$/)
})

test('rewrite-target without a pattern: the path itself; an edit of it is served', { skip }, async () => {
  site('fixed', { 'rewrite-target': '/new' }, 'echo', '/old')
  await until(async () => assert.equal(await curl('fixed.test', '/old/x?y=z'), 'echo /new?y=z 200'))
  site('fixed', { 'rewrite-target': '/newer' }, 'echo', '/old')
  await until(async () => assert.equal(await curl('fixed.test', '/old/x'), 'echo /newer 200'))
})

test(
  'a pattern that others would think about for hours: this request does not match, the next ones do',
  { skip },
  async () => {
    const pattern = '/(a+)+(a|aa)+(a|aa)+$'
    running.ingress('evil', 'evil.test', pattern, 'echo', nginx({ 'use-regex': 'true' }), 'ImplementationSpecific')
    running.ingress('rest', 'evil.test', '/', 'other')
    await until(async () => assert.match(await curl('evil.test', '/aaaa'), /^echo/))
    await until(async () => assert.match(await curl('evil.test', '/other'), /^other/))
    assert.match(await curl('evil.test', `/${'a'.repeat(5000)}!`), /^other/)
  },
)

test('patterns of hosts with a wildcard and without any', { skip }, async () => {
  const rewrite = nginx({ 'rewrite-target': '/$1' })
  running.ingress('wild', '*.wild.test', '/v[0-9]+/(.*)', 'echo', rewrite, 'ImplementationSpecific')
  running.ingress('any', '', '/any/(\\d+)', 'other', rewrite, 'ImplementationSpecific')
  running.ingress('wild-exact', '*.wild.test', '/exact', 'other', {}, 'Exact')
  running.ingress('precise', 'p.wild.test', '/own/(.*)', 'other', rewrite, 'ImplementationSpecific')
  await until(async () => assert.equal(await curl('p.wild.test', '/own/x'), 'other /x 200'))
  await until(async () => assert.equal(await curl('x.wild.test', '/v12/a/b'), 'echo /a/b 200'))
  await until(async () => assert.equal(await curl('nobody.test', '/any/7'), 'other /7 200'))
  await until(async () => assert.equal(await curl('p.wild.test', '/exact'), 'other /exact 200'))
  assert.equal(await curl('p.wild.test', '/v1/deeper'), 'echo /deeper 200')
  assert.equal(await curl('p.wild.test', '/any/9'), 'other /9 200')
  assert.match(await curl('q.p.wild.test', '/own/x'), / 404$/)
  assert.match(await curl('x.wild.test', '/vx/a'), / 404$/)
  assert.equal(await curl('x.wild.test', '/any/8'), 'other /8 200')
  assert.match(await curl('nobody.test', '/any/x'), / 404$/)
})

test('redirects: permanent, with another code, temporal, app-root, www, and to https', { skip }, async () => {
  site('permanent', { 'permanent-redirect': 'https://new.test/$request_uri' })
  site('coded', { 'permanent-redirect': 'https://new.test/50%', 'permanent-redirect-code': '308' })
  site('temporal', { 'temporal-redirect': 'https://new.test' })
  site('rooted', { 'app-root': '/start' })
  site('named', { 'from-to-www-redirect': 'true' })
  site('forced', { 'force-ssl-redirect': 'true' }, 'nobody')
  running.ingress('www', 'www.there.test', '/', 'echo', nginx({ 'from-to-www-redirect': 'true' }))
  for (const [host, path, want] of [
    ['permanent.test', '/a?b', '301 https://new.test//a?b'],
    ['coded.test', '/', '308 https://new.test/50%'],
    ['temporal.test', '/x', '302 https://new.test/'],
    ['rooted.test', '/', '302 http://127.0.0.1:8080/start'],
    ['www.named.test', '/a?b=c', '308 http://named.test/a?b=c'],
    ['there.test', '/', '308 http://www.there.test/'],
    ['forced.test', '/x', '308 https://forced.test/x'],
  ] as const)
    await until(async () => assert.equal(await curl(host, path, ...where), want))
  assert.equal(await curl('rooted.test', '/start'), 'echo /start 200')
  assert.equal(await curl('named.test', '/'), 'echo / 200')
})

test('ssl-redirect: only of an Ingress that has certificates', { skip }, async () => {
  const authority = createAuthority({ commonName: 'test' })
  const dnsNames = ['with.test']
  running.secret('with', issueCertificate(authority, { commonName: 'with', dnsNames, usages: ['server'] }))
  site('without', { 'ssl-redirect': 'true' })
  const backend = { service: { name: 'echo', port: { number: 80 } } }
  running.client.seed(ingresses, {
    metadata: { name: 'with', namespace: 'default', annotations: nginx({ 'ssl-redirect': 'true' }) },
    spec: {
      rules: [{ host: 'with.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      tls: [{ hosts: ['with.test'], secretName: 'with' }],
    },
  })
  await until(async () => assert.equal(await curl('with.test', '/', ...where), '308 https://with.test/'))
  await until(async () => assert.equal(await curl('without.test', '/'), 'echo / 200'))
})

test('source ranges: who may come in and who not; also behind a trusted proxy', { skip }, async () => {
  site('only', { 'whitelist-source-range': '127.0.0.2, 127.0.0.4/30,2001:db8::/32' })
  site('allowed', { 'allowlist-source-range': '127.0.0.2/32' })
  site('but', { 'denylist-source-range': '127.0.0.2' })
  const many = Array.from({ length: 250 }, (_, i) => `10.0.${i}.0/24`)
  site('many', { 'whitelist-source-range': [...many, '127.0.0.2/32'].join(',') })
  site('broken', { 'whitelist-source-range': '10.0.0.0/8,nonsense' })
  const from = (address: string) => ['--interface', address]
  for (const [host, address, want] of [
    ['only.test', '127.0.0.1', '403'],
    ['only.test', '127.0.0.2', '200'],
    ['only.test', '127.0.0.7', '200'],
    ['only.test', '127.0.0.8', '403'],
    ['allowed.test', '127.0.0.1', '403'],
    ['allowed.test', '127.0.0.2', '200'],
    ['but.test', '127.0.0.1', '200'],
    ['but.test', '127.0.0.2', '403'],
    ['many.test', '127.0.0.1', '403'],
    ['many.test', '127.0.0.2', '200'],
    ['broken.test', '127.0.0.1', '403'],
  ] as const)
    await until(async () =>
      assert.equal((await curl(host, '/', ...from(address))).slice(-3), want, `${host} ${address}`),
    )
  const behind = (client: string) => curl('only.test', '/', ...from('127.0.0.9'), ...header('X-Forwarded-For', client))
  assert.match(await behind('2001:db8::7'), / 200$/)
  assert.match(await behind('2001:db9::7'), / 403$/)
  await until(() => assert.match(running.told('broken').join(), /BadAnnotation .*whitelist-source-range.*nonsense/))
})

test('limits: five times as many at once, then 429, each client by itself', { skip }, async () => {
  site('second', { 'limit-rps': '1' })
  site('minute', { 'limit-rpm': '1' })
  for (const host of ['second.test', 'minute.test']) {
    await until(async () => assert.equal(await curl(host, '/', '--interface', '127.0.0.3'), 'echo / 200'))
    const answers: string[] = []
    await until(async () => {
      answers.push(...(await Promise.all(Array.from({ length: 12 }, () => curl(host, '/')))))
      assert.ok(answers.some((text) => text.endsWith(' 429')))
    })
    assert.ok(answers.filter((text) => text === 'echo / 200').length >= 5, host)
    assert.match(await curl(host, '/', '--interface', '127.0.0.4'), / 200$/)
  }
  let arrived = 0
  const ends: (() => void)[] = []
  const slow = await running.pod('slow', (_request, response) => {
    arrived++
    ends.push(() => response.end('slow'))
  })
  running.service('slow', [slow])
  site('busy', { 'limit-connections': '2' }, 'slow')
  await until(async () => assert.doesNotMatch(await curl('busy.test', '/', '-m', '1'), / 404$/))
  for (const end of ends.splice(0)) end()
  const before = arrived
  const held = [curl('busy.test', '/a'), curl('busy.test', '/b')]
  await until(() => assert.equal(arrived, before + 2))
  assert.match(await curl('busy.test', '/c'), / 429$/)
  for (const end of ends.splice(0)) end()
  assert.deepEqual(await Promise.all(held), ['slow 200', 'slow 200'])
})

test('CORS: what a browser may ask, from the origins that were named', { skip }, async () => {
  site('cors', {
    'enable-cors': 'true',
    'cors-allow-origin': 'https://a.test, https://*.b.test:8443',
    'cors-allow-methods': 'GET, PUT',
    'cors-allow-headers': 'X-One,X-Two',
    'cors-expose-headers': 'X-Seen',
    'cors-allow-credentials': 'true',
    'cors-max-age': '60',
  })
  site('open', { 'enable-cors': 'true', 'cors-allow-credentials': 'false' })
  await until(async () => assert.equal(await curl('cors.test', '/'), 'echo / 200'))
  await until(async () => assert.equal(await curl('open.test', '/'), 'echo / 200'))
  const asked = [...header('Access-Control-Request-Method', 'PUT'), '-X', 'OPTIONS']
  const preflight = await headersOf('cors.test', '/', ...header('Origin', 'https://a.test'), ...asked)
  for (const [name, want] of [
    ['access-control-allow-origin', 'https://a.test'],
    ['access-control-allow-methods', 'GET, PUT'],
    ['access-control-allow-headers', 'X-One, X-Two'],
    ['access-control-allow-credentials', 'true'],
    ['access-control-max-age', '60'],
    ['vary', 'Origin'],
  ] as const)
    assert.equal(preflight.get(name), want, name)
  assert.match(await curl('cors.test', '/', ...header('Origin', 'https://a.test'), ...asked), /^ 204$/)
  const origin = async (host: string, from: string) =>
    (await headersOf(host, '/', ...header('Origin', from))).get('access-control-allow-origin')
  assert.equal(await origin('cors.test', 'https://x.b.test:8443'), 'https://x.b.test:8443')
  for (const bad of ['https://b.test:8443', 'https://x.y.b.test:8443', 'http://a.test', 'https://a.test.evil.test'])
    assert.equal(await origin('cors.test', bad), undefined, bad)
  assert.equal(await origin('open.test', 'https://any.test'), '*')
  const plain = await headersOf('cors.test', '/', ...header('Origin', 'https://a.test'))
  assert.equal(plain.get('access-control-expose-headers'), 'X-Seen')
  // What only looks like a question of a browser goes to the endpoint.
  assert.equal(await curl('cors.test', '/', '-X', 'OPTIONS'), 'echo / 200')
})

test('basic auth: those of the Secret; without it nobody; an edit of it is served', { skip }, async () => {
  const hashOf = (password: string) => execFileSync('openssl', ['passwd', '-6', password], { encoding: 'utf8' }).trim()
  const guard = (secret: string) => ({ 'auth-type': 'basic', 'auth-secret': secret, 'auth-realm': "the pods' own" })
  userList('users', `alice:${hashOf('wonder land')}\n`)
  site('guarded', guard('users'))
  site('unknown', guard('no-such'))
  site('elsewhere', guard('kube-system/users'))
  await until(async () => assert.match(await curl('guarded.test', '/'), / 401$/))
  const headers = await headersOf('guarded.test', '/')
  assert.equal(headers.get('www-authenticate'), `Basic realm="the pods' own"`)
  for (let i = 0; i < 3; i++) assert.equal(await curl('guarded.test', '/', '-u', 'alice:wonder land'), 'echo / 200')
  assert.match(await curl('guarded.test', '/', '-u', 'alice:wrong'), / 401$/)
  assert.match(await curl('guarded.test', '/', '-u', 'bob:wonder land'), / 401$/)
  for (const name of ['unknown', 'elsewhere'])
    await until(async () => assert.match(await curl(`${name}.test`, '/', '-u', 'alice:wonder land'), / 503$/))
  await until(() => assert.match(running.told('unknown').join(), /NoUsers Secret default\/no-such does not exist/))
  await until(() => assert.match(running.told('elsewhere').join(), /BadAnnotation auth-secret kube-system\/users/))
  // carl's and dora's are as htpasswd writes them by itself and with -s, erin's as nobody does.
  const apr1 = (password: string) => execFileSync('openssl', ['passwd', '-apr1', password], { encoding: 'utf8' }).trim()
  const sha = `{SHA}${createHash('sha1').update('explorer').digest('base64')}`
  const long = 'a password that is longer than sixteen bytes: ü'
  const lines = [`bob:${hashOf('builder')}`, `carl:${apr1('short')}`, `cleo:${apr1(long)}`, `dora:${sha}`, 'erin:plain']
  userList('users', lines.join('\n'))
  await until(async () => assert.equal(await curl('guarded.test', '/', '-u', 'bob:builder'), 'echo / 200'))
  assert.match(await curl('guarded.test', '/', '-u', 'alice:wonder land'), / 401$/)
  for (const right of ['carl:short', `cleo:${long}`, 'dora:explorer'])
    for (let i = 0; i < 2; i++) assert.equal(await curl('guarded.test', '/', '-u', right), 'echo / 200', right)
  for (const wrong of ['carl:shorT', 'cleo:short', 'dora:', 'erin:plain', 'carl:'])
    assert.match(await curl('guarded.test', '/', '-u', wrong), / 401$/, wrong)
  await until(() => assert.match(running.told('guarded').join(), /NoUsers .*password of erin .*htpasswd -B/))
})

test('affinity: a cookie leads back to the endpoint; to another one when that is gone', { skip }, async () => {
  site(
    'sticky',
    {
      affinity: 'cookie',
      'session-cookie-name': 'route',
      'session-cookie-path': '/here',
      'session-cookie-max-age': '60',
      'session-cookie-samesite': 'Lax',
      'session-cookie-secure': 'true',
    },
    'three',
  )
  await until(async () => assert.match(await curl('sticky.test', '/'), / 200$/))
  const first = await curl('sticky.test', '/', '-i')
  const [, value = ''] = /set-cookie: route=(\w+); Path=\/here; Max-Age=60; SameSite=Lax; Secure; HttpOnly\r/.exec(
    first,
  )!
  assert.doesNotMatch(value, /127/)
  const [, pod] = /\r\n\r\n(\w+) /.exec(first)!
  for (let i = 0; i < 12; i++) {
    const answer = await curl('sticky.test', '/', '-i', '-b', `route=${value}`)
    assert.match(answer, new RegExp(`\r\n\r\n${pod} `))
    assert.doesNotMatch(answer, /set-cookie/)
  }
  const gone = await curl('sticky.test', '/', '-i', '-b', 'route=0123456789abcdef')
  assert.match(gone, /set-cookie: route=/)
  assert.match(gone, / 200$/)
})

test('upstream-hash-by: the same endpoint for the same value, several for many', { skip }, async () => {
  site('hashed', { 'upstream-hash-by': '$http_x_user' }, 'three')
  site('by-url', { 'upstream-hash-by': '$request_uri' }, 'three')
  await until(async () => assert.match(await curl('hashed.test', '/'), / 200$/))
  await until(async () => assert.match(await curl('by-url.test', '/'), / 200$/))
  for (const ask of [
    (at: number) => curl('hashed.test', '/', ...header('X-User', `user-${at}`)),
    async (at: number) => (await curl('by-url.test', `/${at}`)).replace(/\/\d+/, '/'),
  ]) {
    const pods = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const pod = await ask(i)
      pods.add(pod)
      assert.equal(await ask(i), pod)
    }
    assert.ok(pods.size > 1)
  }
})

test('endpoints that come are met by cookie and by hash, without another HAProxy', { skip }, async () => {
  const pid = running.pid()
  running.endpoints('three', [...three, await running.pod('four')])
  let cookie = ''
  await until(async () => {
    const answer = await curl('sticky.test', '/', '-i')
    assert.match(answer, /\r\n\r\nfour /)
    cookie = /set-cookie: (route=\w+);/.exec(answer)![1]!
  })
  for (let i = 0; i < 8; i++) assert.match(await curl('sticky.test', '/', '-b', cookie), /^four /)
  let user = 0
  await until(async () => assert.match(await curl('hashed.test', '/', ...header('X-User', `user-${user++}`)), /^four /))
  for (let i = 0; i < 8; i++)
    assert.match(await curl('hashed.test', '/', ...header('X-User', `user-${user - 1}`)), /^four /)
  assert.equal(running.pid(), pid)
})

test('upstream-vhost and x-forwarded-prefix: what the endpoint is told', { skip }, async () => {
  site('told', { 'upstream-vhost': 'inner.test', 'x-forwarded-prefix': '/told' }, 'told')
  await until(async () => assert.equal(await curl('told.test', '/x'), '/x  /told inner.test 200'))
})

test('request-headers and response-headers', { skip }, async () => {
  const own = {
    'ingress.fairway/request-headers': `X-Told: 100% of "it's" $HOME \\ {}\n`,
    'ingress.fairway/response-headers': 'X-Powered-By: fairway\nStrict-Transport-Security: max-age=1; preload',
  }
  running.ingress('custom', 'custom.test', '/', 'told', own)
  await until(async () =>
    assert.match(await curl('custom.test', '/'), /100% of "it's" \$HOME \\ \{\} {2}custom\.test 200$/),
  )
  const headers = await headersOf('custom.test', '/')
  assert.equal(headers.get('x-powered-by'), 'fairway')
  assert.equal(headers.get('strict-transport-security'), 'max-age=1; preload')
})

test('canary: by header, by cookie, by weight; under the settings of the main route', { skip }, async () => {
  site('split', { 'rewrite-target': '/in' })
  const canary = (more: Readonly<Record<string, string>>) =>
    running.ingress('canary', 'split.test', '/', 'other', nginx({ canary: 'true', ...more }))
  const names = { 'canary-by-header': 'X-Canary', 'canary-by-cookie': 'canary' }
  await until(async () => assert.equal(await curl('split.test', '/'), 'echo /in 200'))
  canary({ 'canary-weight': '0', ...names })
  const by = (...words: string[]) => curl('split.test', '/', ...words)
  await until(async () => assert.equal(await by(...header('X-Canary', 'always')), 'other /in 200'))
  assert.equal(await by(), 'echo /in 200')
  assert.equal(await by('-b', 'canary=always'), 'other /in 200')
  assert.equal(await by('-b', 'canary=always', ...header('X-Canary', 'never')), 'echo /in 200')
  const pid = running.pid()
  canary({ 'canary-weight': '5', 'canary-weight-total': '5', ...names })
  await until(async () => assert.equal(await by(), 'other /in 200'))
  assert.equal(await by('-b', 'canary=never'), 'echo /in 200')
  canary({ 'canary-weight': '50', ...names })
  const seen = new Set<string>()
  await until(async () => {
    seen.add(await by())
    assert.equal(seen.size, 2)
  })
  assert.equal(running.pid(), pid)
  canary({ 'canary-weight': '0' })
  await until(async () => {
    for (let i = 0; i < 10; i++) assert.equal(await by(), 'echo /in 200')
  })
  canary({ 'canary-by-header': 'X-Canary', 'canary-by-header-value': "it's me" })
  await until(async () => assert.equal(await by(...header('X-Canary', "it's me")), 'other /in 200'))
  assert.equal(await by(...header('X-Canary', 'always')), 'echo /in 200')
  await running.client.delete(ingresses, 'split', { namespace: 'default' })
  await until(async () => assert.match(await by(...header('X-Canary', "it's me")), / 404$/))
  await until(() => assert.match(running.told('canary').join(), /NoMainRoute split\.test\/ gets nothing/))
})

test('the forms of nginx for time-outs, sizes and protocols', { skip }, async () => {
  const late = await running.pod('late', (_request, response) => void setTimeout(() => response.end('late'), 1200))
  running.service('late', [late])
  site('hasty', { 'proxy-read-timeout': '1', 'proxy-connect-timeout': '1' }, 'late')
  site('patient', { 'proxy-read-timeout': '60' }, 'late')
  site('small', { 'proxy-body-size': '1k' })
  site('unlimited', { 'proxy-body-size': '0' })
  site('secure', { 'backend-protocol': 'HTTPS' })
  await until(async () => assert.match(await curl('hasty.test', '/'), / 504$/))
  await until(async () => assert.equal(await curl('patient.test', '/'), 'late 200'))
  await until(async () => assert.match(await curl('small.test', '/', '-d', 'x'.repeat(1025)), / 413$/))
  assert.match(await curl('small.test', '/', '-d', 'x'.repeat(1024)), / 200$/)
  await until(async () => assert.match(await curl('unlimited.test', '/', '-d', 'x'.repeat(100_000)), / 200$/))
  // The endpoint speaks no TLS.
  await until(async () => assert.match(await curl('secure.test', '/'), / 50[23]$/))
})

test('what is not known or has no meaning is told by name, and all else counts', { skip }, async () => {
  site('odd', {})
  running.ingress('odd', 'odd.test', '/', 'echo', {
    'nginx.ingress.kubernetes.io/server-snippet': 'return 200;',
    'nginx.ingress.kubernetes.io/rewrite-traget': '/x',
    'nginx.ingress.kubernetes.io/limit-rps': 'many',
    'nginx.ingress.kubernetes.io/upstream-hash-by': '$request_uri$host',
    'ingress.fairway/response-headers': 'X-Good: yes\nno colon here',
    'nginx.ingress.kubernetes.io/x-forwarded-prefix': '/kept',
    'traefik.ingress.kubernetes.io/router.priority': '1',
  })
  await until(async () => assert.equal(await curl('odd.test', '/'), 'echo / 200'))
  const want = [
    /server-snippet: there is none of this name here/,
    /rewrite-traget: .*is rewrite-target meant\?/,
    /limit-rps: "many": a whole number from 1 to 1000000 is expected/,
    /upstream-hash-by: "\$request_uri\$host": one of \$remote_addr/,
    /response-headers: .*a header in each line is expected/,
    /router\.priority: is of another controller/,
  ]
  for (const text of want) await until(() => assert.match(running.told('odd').join('\n'), text))
  assert.equal(running.told('odd').length, want.length)
  running.ingress('groups', 'groups.test', '/x/(a', 'echo', nginx({ 'use-regex': 'true' }), 'ImplementationSpecific')
  await until(() =>
    assert.match(running.told('groups').join(), /NotSupported path \/x\/\(a: error parsing regexp: missing closing \)/),
  )
})

test('each annotation was tried', { skip }, () => {
  assert.deepEqual([...tried].sort(), [...nginxAnnotationNames].sort())
})
