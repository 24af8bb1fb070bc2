import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainDial, httpTarget, resolvePort, urlOf } from '#node/probe/target.ts'

const container = { name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }

test('probe ports: by number and by name', () => {
  assert.equal(resolvePort(80, container), 80)
  assert.equal(resolvePort('web', container), 8080)
  assert.equal(resolvePort('81', container), 81)
  assert.equal(resolvePort('nope', container), undefined)
  assert.equal(resolvePort(0, container), undefined)
})

test('probe requests', () => {
  const plain = httpTarget({ port: 'web', path: '/ok?x=1' }, container, '10.244.0.5', 'probe')
  assert.ok(typeof plain !== 'string')
  assert.equal(urlOf(plain), 'http://10.244.0.5:8080/ok?x=1')
  assert.deepEqual(plain.headers, [
    ['Host', '10.244.0.5:8080'],
    ['User-Agent', 'kube-probe/1.36'],
    ['Accept', '*/*'],
  ])
  const own = httpTarget(
    {
      port: 443,
      scheme: 'HTTPS',
      host: 'fd00::5',
      httpHeaders: [
        { name: 'Host', value: 'a.example' },
        { name: 'accept', value: '' },
        { name: 'user-agent', value: 'me' },
      ],
    },
    container,
    '10.244.0.5',
    'probe',
  )
  assert.ok(typeof own !== 'string')
  assert.equal(urlOf(own), 'https://[fd00::5]:443/')
  assert.deepEqual(own.headers, [
    ['Host', 'a.example'],
    ['user-agent', 'me'],
  ])
  assert.equal(httpTarget({ port: 'nope' }, container, '', 'probe'), 'couldn\'t find port: "nope" in container c')
})

test('failed connections', () => {
  assert.equal(explainDial('10.1.1.1', 80, 'ECONNREFUSED'), 'dial tcp 10.1.1.1:80: connect: connection refused')
  assert.equal(explainDial('fd00::1', 80, 'EHOSTUNREACH'), 'dial tcp [fd00::1]:80: connect: no route to host')
})
