import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { Service } from '#api/core.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer } from '#test/api-server.ts'

type Groups = { groups: { cluster: string; was?: string; taken?: string; rows: string }[] }

const ranges = { v4: '10.0.0.0/16', v6: '2000::/108' }
const url = '/api/v1/namespaces/default/services'

function read(name: string): Groups['groups'] {
  return (parse(readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8')) as Groups).groups
}

function rowsOf(text: string): [asked: string, answer: string][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(/\s*->\s*/) as [string, string])
}

const familiesOf = (text: string) => (text.match(/v[46]/g) ?? []).map((family) => (family === 'v4' ? 'IPv4' : 'IPv6'))

/** '10.0.0.1,2000::1 RequireDualStack v4v6' */
function serviceOf(asked: string): Service {
  const [where = '', policy = '', families = ''] = asked.trim().split(/\s+/)
  const [addresses = '', noSelector] = where.split('/')
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'foo' },
    spec: {
      ports: [{ port: 93, protocol: 'TCP' }],
      ...(noSelector === undefined && { selector: { k: 'v' } }),
      ...(addresses !== 'unset' && { clusterIP: addresses.split(',')[0]!, clusterIPs: addresses.split(',') }),
      ...(policy !== 'unset' && { ipFamilyPolicy: policy }),
      ...(families !== 'unset' && { ipFamilies: familiesOf(families) }),
    },
  } as Service
}

function serverOf(cluster: string) {
  const families = cluster.match(/v[46]/g) as ('v4' | 'v6')[]
  return createTestServer({
    kinds: (objects) =>
      kinds({
        serviceClusterIpRanges: families.map((family) => ranges[family]),
        serviceNodePortRange: '30000-32767',
        objects,
      }),
  })
}

async function prepared(cluster: string) {
  const api = serverOf(cluster)
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  return api
}

for (const { cluster, rows } of read('service-families-create.yaml')) {
  test(`families of a new Service, cluster ${cluster}`, async () => {
    await using api = await prepared(cluster)
    for (const [asked, answer] of rowsOf(rows)) {
      const { code, body } = await api.request('POST', url, { body: serviceOf(asked) })
      const spec = (body as Service).spec
      const families = (spec?.ipFamilies ?? []).map((family) => family.replace('IP', '')).join('')
      assert.equal(code === 422 ? 'refused' : `${spec?.ipFamilyPolicy} ${families}`, answer, asked)
      if (code === 422) continue
      const isHeadless = asked.trim().startsWith('None')
      assert.equal(spec?.clusterIPs?.length, isHeadless ? 1 : spec?.ipFamilies?.length, asked)
      await api.request('DELETE', `${url}/foo`)
    }
  })
}

for (const { cluster, was = '', taken, rows } of read('service-families-update.yaml')) {
  test(`families of an updated Service, cluster ${cluster}, was ${was}${taken ? `, ${taken} taken` : ''}`, async () => {
    await using api = await prepared(cluster)
    for (const [asked, answer] of rowsOf(rows)) {
      const made = await api.request('POST', url, { body: serviceOf(was) })
      assert.equal(made.code, 201, made.text)
      if (taken !== undefined) await take(api, taken)
      const { code, body, text } = await api.request('PUT', `${url}/foo`, { body: serviceOf(asked) })
      const spec = (body as Service).spec
      assert.equal(code === 422 ? 'refused' : `${spec?.ipFamilies?.length}`, answer, `${asked} ${text}`)
      if (code === 200) {
        assert.equal(spec?.clusterIP, (made.body as Service).spec?.clusterIP, asked)
        assert.equal(spec?.clusterIPs?.length, was.startsWith('None') ? 1 : Number(answer), asked)
      }
      await api.request('DELETE', `${url}/foo`)
    }
  })
}

async function take(api: Awaited<ReturnType<typeof prepared>>, address: string): Promise<void> {
  const other = serviceOf(`${address} unset unset`)
  const { code } = await api.request('POST', url, { body: { ...other, metadata: { name: 'other' } } })
  assert.equal(code, 201)
}
