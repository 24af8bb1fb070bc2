import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Health, judge, planAppliance, standingOf } from '#balancer/appliance/plan.ts'
import { exclusionLabel } from '#balancer/backends.ts'
import { parseRange } from '#balancer/pool/address-pool.ts'
import { at, node, service } from '#test/stored-objects.ts'

const pool = { text: 'p', ranges: [parseRange('10.0.0.200-10.0.0.239')!, parseRange('fd00::200-fd00::239')!] }
const machine = (name: string, ips: readonly string[], metadata: object = {}) =>
  node(name, {
    metadata: { ...metadata },
    status: { addresses: ips.map((address) => ({ type: 'InternalIP', address })) },
  })
const balanced = (name: string, spec: object = {}, ips: readonly string[] = ['10.0.0.200']) => ({
  ...service(name, { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }], ...spec }),
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
})
const a = machine('a', ['10.1.0.1', 'fd01::1'])
const b = machine('b', ['10.1.0.2'], { labels: { [exclusionLabel]: '' } })
const plan = (...services: readonly ReturnType<typeof balanced>[]) => planAppliance(services, [b, a], pool)

test('policy Cluster: every node is asked for the health of its proxy', () => {
  const { frontends, backends } = plan(balanced('s'))
  assert.deepEqual(frontends, [{ service: 'default/s', ip: '10.0.0.200', protocol: 'TCP', port: 80, nodePort: 30080 }])
  assert.deepEqual(backends, [
    { service: 'default/s', node: 'a', ip: '10.1.0.1', check: 'http://10.1.0.1:10256/healthz' },
    { service: 'default/s', node: 'b', ip: '10.1.0.2', check: undefined, excluded: `label ${exclusionLabel}` },
  ])
})

test('source ranges: those of the spec, else of the annotation, each for its family', () => {
  const sourcesOf = (spec: object, annotation?: string) => {
    const one = balanced('s', spec, ['10.0.0.200', 'fd00::200'])
    const annotations = { 'service.beta.kubernetes.io/load-balancer-source-ranges': annotation ?? '' }
    const { frontends } = plan({ ...one, metadata: { ...one.metadata, annotations } })
    return frontends.map(({ sources }) => sources)
  }
  assert.deepEqual(sourcesOf({}), [undefined, undefined])
  const both = ['10.1.2.3/8', 'fd00::/64', '192.0.2.7/32']
  assert.deepEqual(sourcesOf({ loadBalancerSourceRanges: both }, '172.16.0.0/12'), [
    ['10.0.0.0/8', '192.0.2.7/32'],
    ['fd00::/64'],
  ])
  assert.deepEqual(sourcesOf({}, ' 172.16.0.0/12, 10.0.0.0/8'), [['172.16.0.0/12', '10.0.0.0/8'], undefined])
})

test('policy Local: the node is asked whether it has an endpoint', () => {
  const { backends } = plan(balanced('s', { externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 }))
  assert.equal(backends[0]!.check, 'http://10.1.0.1:31000/healthz')
})

test('IPv6: nodes without such an address take no part', () => {
  const { frontends, backends } = plan(balanced('s', {}, ['fd00::200']))
  assert.equal(frontends[0]!.ip, 'fd00::200')
  assert.deepEqual(
    backends.map(({ node, check }) => [node, check]),
    [['a', 'http://[fd01::1]:10256/healthz']],
  )
})

test('nothing for what has no address, no node port, another type, or is going', () => {
  const none = [
    balanced('unnamed', {}, []),
    balanced('foreign', {}, ['192.0.2.1']),
    balanced('portless', { ports: [{ port: 80 }] }),
    balanced('plain', { type: 'ClusterIP' }),
    { ...balanced('going'), metadata: { ...balanced('going').metadata, deletionTimestamp: at(0) } },
  ]
  assert.deepEqual(plan(...none).frontends, [])
})

test('one good answer lets a node in, two bad ones take it out', () => {
  const seen: boolean[] = []
  let health: Health | undefined
  for (const isOk of [false, true, false, true, false, false, false, true]) {
    health = judge(health, isOk, '')
    seen.push(health.isUp)
  }
  assert.deepEqual(seen, [false, true, true, true, true, false, false, true])
})

test('why a node is in or out, in words', () => {
  const check = 'http://10.1.0.1:10256/healthz'
  const backend = { service: 'default/s', node: 'a', ip: '10.1.0.1', check }
  const said = (health?: Health) => standingOf(backend, new Map(health && [[check, health]]))
  assert.deepEqual(said(), { service: 'default/s', node: 'a', isIn: false, why: `not asked yet: ${check}` })
  assert.equal(said(judge(undefined, true, '200')).why, `200 from ${check}`)
  assert.equal(said(judge(undefined, false, 'ECONNREFUSED')).why, `ECONNREFUSED from ${check}`)
  assert.equal(standingOf({ ...backend, check: undefined, excluded: 'label x' }, new Map()).why, 'label x')
})
