// The dump of the source document: `iptables -L -v -n -t nat` of a real cluster, cut to one Service and its NodePort.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { verdictsOf } from '#trace/explain.ts'
import { percent } from '#trace/fraction.ts'
import type { Packet } from '#trace/packet.ts'
import { readMachine } from '#trace/read.ts'
import { walkMachine } from '#trace/walk.ts'

const file = 'src/trace/testdata/iptables-list.txt'
const { machine } = readMachine('node', [{ file, text: readFileSync(file, 'utf8') }])
const packet = (source: string, destination: string, destinationPort: number): Packet => ({
  protocol: 'tcp',
  source,
  sourcePort: 40_000,
  destination,
  destinationPort,
  mark: 0,
  state: 'NEW',
})

const endpoints = [5, 6, 7, 8].map((last) => `goes to 10.244.1.${last}:80`)
const trace = (from: string, to: string, port: number, addresses?: readonly string[]) =>
  verdictsOf(
    walkMachine(
      addresses === undefined ? machine : { ...machine, addresses: new Set(addresses) },
      packet(from, to, port),
      'arrives',
    ),
  )
    .filter(({ conditions }) => conditions.length === 0)
    .map(({ share, text }) => `${percent(share)} ${text}`)

test('trace: a cluster IP from inside the pod range: a quarter each, the source kept', () => {
  assert.deepEqual(
    trace('10.244.1.9', '10.110.244.138', 8080),
    endpoints.map((text) => `25% ${text}`),
  )
})

test('trace: a cluster IP from outside: masqueraded', () => {
  assert.deepEqual(
    trace('192.0.2.7', '10.110.244.138', 8080),
    endpoints.map((text) => `25% ${text}, from the node's own address`),
  )
})

test('trace: an endpoint that reaches itself is masqueraded, the others are not', () => {
  assert.deepEqual(trace('10.244.1.5', '10.110.244.138', 8080), [
    "25% goes to 10.244.1.5:80, from the node's own address",
    ...endpoints.slice(1).map((text) => `25% ${text}`),
  ])
})

test('trace: the NodePort on an address of the node', () => {
  assert.deepEqual(
    trace('192.0.2.7', '192.168.1.13', 30_001, ['192.168.1.13']),
    endpoints.map((text) => `25% ${text}, from the node's own address`),
  )
  assert.deepEqual(trace('10.244.1.9', '192.168.1.13', 30_001, ['192.168.1.13']).length, 4)
})

test('trace: whether the address is the node’s own is a condition where nothing tells', () => {
  const verdicts = verdictsOf(walkMachine(machine, packet('192.0.2.7', '192.168.1.13', 30_001), 'arrives'))
  assert.deepEqual(
    new Set(verdicts.map(({ conditions }) => conditions[0])),
    new Set(['destination 192.168.1.13 is LOCAL here', 'not: destination 192.168.1.13 is LOCAL here']),
  )
})
