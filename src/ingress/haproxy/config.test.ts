// Whatever people write into Ingresses, HAProxy takes its configuration: one that it refused would hold up everybody's edits.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import type { Ingress } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { annotationNames, nginxAnnotationNames, nginxPrefix, prefix } from '#ingress/annotations/annotations.ts'
import { createOwnCertificate } from '#ingress/certificates.ts'
import { defaultCertificateOf, renderFiles } from '#ingress/haproxy/config.ts'
import { basisFor, layOut } from '#ingress/haproxy/layout.ts'
import { readUsers } from '#ingress/users.ts'
import { need } from '#test/need.ts'
import { IngressWorld, meta } from '#test/random-ingresses.ts'
import { type Random, seeded } from '#test/random.ts'

const skip = need({ programs: ['haproxy'] })
const folder = mkdtempSync(`${tmpdir()}/fairway-config-`)
after(() => rmSync(folder, { recursive: true }))

/** Values that mean something, and parts of others that mean something to HAProxy. */
const values = [
  'true true true 1 5 60 8m 8Mi 90s 301 308 basic cookie none HTTPS GRPC h2c Lax Strict /x /$1 /$2/$1 /a%20b',
  '10.0.0.0/8 127.0.0.1,2001:db8::/32 https://a.test/%25?x=$request_uri https://*.a.test * $http_x_a $arg_q $host $cookie_c',
  'X-Name users other/users a,b',
]
  .join(' ')
  .split(' ')
const odd = [
  "'",
  '"',
  '\\',
  '%',
  '%[src]',
  '$HOME',
  '#',
  '|',
  ';',
  ' ',
  '\n',
  '\r',
  '\n  server x 192.0.2.1:80',
  '{',
  '}',
  ')',
  'ü',
  '\u0001',
]
const text = (random: Random) =>
  Array.from({ length: random.integer(1, 4) }, () => random.pick([random.pick(values), random.pick(odd)])).join('')
const value = (random: Random) =>
  random.pick([
    random.pick(values),
    random.pick(values),
    text(random),
    `X-Name: ${text(random)}\nX-Other: ${text(random)}`,
  ])

const parts = [
  'a',
  '/',
  '.',
  '.*',
  '(',
  ')',
  '[^/]+',
  '[a-z]',
  '(?i)',
  '(?:',
  '|',
  '$',
  '^',
  '\\d',
  '\\.',
  '{2}',
  '{1,3}',
  '?',
  '+',
  '*?',
  '[[:alpha:]]',
  '\\b',
  '(?P<n>',
  '-',
  '#',
  '"',
  '\\Q',
  '\\pL',
  'ü',
  '\\z',
]
const path = (random: Random) => `/${Array.from({ length: random.integer(0, 6) }, () => random.pick(parts)).join('')}`

function randomIngress(random: Random, name: string): Stored<Ingress> {
  const all = [...annotationNames.map((one) => prefix + one), ...nginxAnnotationNames.map((one) => nginxPrefix + one)]
  const annotations = Object.fromEntries(
    Array.from({ length: random.integer(1, 12) }, () => [random.pick(all), value(random)]),
  )
  const pathType = random.pick(['ImplementationSpecific', 'Prefix', 'Exact'])
  const backend = { service: { name: 'a', port: { number: 80 } } }
  const paths = Array.from({ length: random.integer(1, 3) }, () => ({ path: path(random), pathType, backend }))
  const host = random.pick(['x.test', '*.x.test', undefined])
  const use = random.pick([{}, { [`${prefix}use-regex`]: 'true' }, { [`${nginxPrefix}canary`]: 'true' }])
  return {
    metadata: meta(name, { annotations: { ...annotations, ...use } }),
    spec: { ingressClassName: 'ours', rules: [{ ...(host && { host }), http: { paths } }] },
  } as Stored<Ingress>
}

test('random annotations and paths: HAProxy takes what comes of them', { skip }, (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
  t.diagnostic(`SEED=${seed}`)
  const random = seeded(seed)
  const pem = createOwnCertificate()
  mkdirSync(`${folder}/certificates`)
  writeFileSync(defaultCertificateOf(folder), pem)
  const settings = {
    folder,
    http: '127.0.0.1:8080',
    https: '127.0.0.1:8443',
    threads: 1,
    accessLog: true,
    trustedProxies: ['10.0.0.0/8'],
  }
  let used = 0
  for (let round = 0; round < 8; round++) {
    const list = random.pick([
      [],
      [String.raw`"q'\":$apr1$"]]'$` + 'b'.repeat(22), `s:{SHA}${'b'.repeat(27)}=`],
      [`it's:$6$a$${'b'.repeat(20)}`],
    ])
    const world = new IngressWorld({ users: () => readUsers(`${list.join('\n')}\nx y:z\n#`) })
    world.classes.set('ours', { metadata: meta('ours'), spec: { controller: 'fairway/ingress' } })
    world.services.set('default/a', { metadata: meta('a'), spec: { ports: [{ port: 80 }] } } as never)
    for (let i = 0; i < 60; i++) world.ingresses.set(`default/i-${i}`, randomIngress(random, `i-${i}`))
    const { table } = world
    table.update([{ kind: 'all' }])
    const { routes, backends, certificates, fallback } = table
    const complete = { routes, backends, certificates, fallback, defaultCertificate: pem }
    const basis = basisFor(complete, 32)
    used += basis.slots.settings.length
    for (const [file, content] of renderFiles(settings, layOut(complete, basis), basis)) {
      assert.doesNotMatch(content, /^\s*server x 192/m, `SEED=${seed} round ${round}: a value became a line`)
      writeFileSync(file, content)
    }
    const { status, stderr } = spawnSync('haproxy', ['-c', '-f', `${folder}/haproxy.cfg`], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    })
    assert.equal(status, 0, `SEED=${seed} round ${round}: ${stderr}`)
    assert.doesNotMatch(stderr, /WARNING.*(ACL|rule|ignored)/, `SEED=${seed} round ${round}`)
  }
  assert.ok(used > 400, `${used} back ends`)
})
