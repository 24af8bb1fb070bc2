import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { Claims } from '#proxy/plan/claims.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { viewService } from '#proxy/state.ts'

const node = { name: 'node-1', zone: '', ips: {} }
const planned = (
  name: string,
  clusterIP: string,
  externalIPs: readonly string[],
  nodePort = 0,
): readonly PortPlan[] => {
  const spec = { type: 'NodePort', clusterIP, externalIPs: [...externalIPs], ports: [{ port: 80, nodePort }] } as const
  return planService(
    viewService({ metadata: { namespace: 'demo', name }, spec: { ...spec, ports: [...spec.ports] } })!,
    [],
    4,
    node,
  )
}

test('claims: the second one is told, whichever kind of address it is', () => {
  const claims = new Claims()
  const a = planned('a', '10.96.0.1', ['80.11.12.10'], 30080)
  assert.deepEqual(claims.change([], a), [])
  assert.deepEqual(claims.change(a, a), [], 'nothing new')
  const b = planned('b', '10.96.0.2', ['80.11.12.10', '10.96.0.1'], 30080)
  assert.deepEqual(
    claims.change([], b).map(({ service, other, front }) => `${service} ${other} ${front}`),
    ['80.11.12.10:80/tcp', '10.96.0.1:80/tcp', 'node port 30080/tcp'].map((front) => `demo/b demo/a ${front}`),
  )
  assert.deepEqual(claims.change(b, b), [], 'told once')
})

test('claims: who gives up an address is forgotten', () => {
  const claims = new Claims()
  const a = planned('a', '10.96.0.1', ['80.11.12.10'])
  const b = planned('b', '10.96.0.2', ['80.11.12.10'])
  claims.change([], a)
  claims.change([], b)
  assert.deepEqual(claims.change(a, []), [])
  const c = planned('c', '10.96.0.3', ['80.11.12.10'])
  assert.equal(claims.change([], c)[0]?.other, 'demo/b')
  claims.change(b, [])
  claims.change(c, [])
  assert.deepEqual(claims.change([], a), [])
})
