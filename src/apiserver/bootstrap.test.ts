// What is there from the start, and what becomes of it when someone changes it.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpoints, namespaces, services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { bootstrap, keepItself } from '#apiserver/bootstrap.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'

const itself = { addresses: ['192.0.2.1'], port: 6443, clusterIp: '10.96.0.1' }

test('the first objects, made once and mended', async () => {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  await using api = createTestServer({ kinds: (objects) => kinds({ ...setting, objects }) })
  const { objects, served } = api.engine
  const start = () =>
    bootstrap(objects, itself, ({ group, version, plural }) => served.find(group, version, plural) !== undefined)
  await start()
  const names = (await objects.list(namespaces)).map(({ metadata }) => metadata?.name)
  assert.deepEqual(names, ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
  const revision = await api.store.revision()
  await start()
  assert.equal(await api.store.revision(), revision, 'a second start writes nothing')

  const service = await objects.get(services, 'default', 'kubernetes')
  assert.deepEqual([service?.spec?.clusterIP, service?.spec?.ports?.[0]?.targetPort], ['10.96.0.1', 6443])
  await objects.change(services, 'default', 'kubernetes', (found) => ({
    ...found,
    spec: { ...found.spec, ports: [{ name: 'https', port: 8443 }] },
  }))
  await objects.delete(endpoints, 'default', 'kubernetes')
  await objects.change(endpointSlices, 'default', 'kubernetes', (found) => ({ ...found, endpoints: [] }))
  await keepItself(objects, itself)
  const mended = await objects.get(services, 'default', 'kubernetes')
  assert.equal(mended?.spec?.ports?.[0]?.port, 443)
  const own = await objects.get(endpoints, 'default', 'kubernetes')
  assert.equal(own?.subsets?.[0]?.addresses?.[0]?.ip, '192.0.2.1')
  const slice = await objects.get(endpointSlices, 'default', 'kubernetes')
  assert.deepEqual(slice?.endpoints?.[0]?.addresses, ['192.0.2.1'])
})
