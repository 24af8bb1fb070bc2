// An API server that serves custom resources, without HTTP, and the definitions that tests give to it.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { serveDefinitions } from '#apiserver/custom/serve-definitions.ts'
import { extraOf } from '#apiserver/documents/extra.ts'
import { kinds } from '#apiserver/kinds.ts'
import type { Extra } from '#apiserver/http/dispatch.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { createTestServer, type Reply, type TestServer } from '#test/api-server.ts'

type Definition = { metadata: object; spec: { versions: { name: string }[] } }
export const definitions = parse(readFileSync('src/apiserver/custom/testdata/definitions.yaml', 'utf8')) as Record<
  'widget' | 'pool' | 'gateway',
  Definition
>

export const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
export const widgets = '/apis/example.com/v1/namespaces/default/widgets'
export const merge = { 'content-type': 'application/merge-patch+json' }
export const apply = { 'content-type': 'application/apply-patch+yaml' }

export async function startCustom(): Promise<TestServer> {
  const setting = { serviceClusterIpRanges: ['10.96.0.0/12'], serviceNodePortRange: '30000-32767' }
  let extra: Extra = () => undefined
  const api = createTestServer({
    kinds: (objects) => kinds({ ...setting, objects }),
    extra: (request, target) => extra(request, target),
  })
  const nobody = { decide: () => ({ allowed: false, reason: '' }), rulesOf: () => ({ rules: [], problem: '' }) }
  const reviews = { authorizer: nobody, verifyToken: undefined, nowMs: () => 0 }
  const rest = { serverAddress: '', platform: '', startedAt: '', checks: {}, registry: createRegistry() }
  extra = extraOf({ engine: api.engine, reviews, ...rest })
  await api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } })
  await serveDefinitions(api.engine, (error) => {
    throw error
  })
  return api
}

export async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 2)))
    if (await isSo()) return
  assert.fail(`never: ${what}`)
}

export const answers = (api: TestServer, url: string, code: number) =>
  until(async () => (await api.request('GET', url)).code === code, `${code} of ${url}`)

export async function define(api: TestServer, name: keyof typeof definitions): Promise<Reply> {
  const made = await api.request('POST', path, { body: definitions[name] })
  assert.equal(made.code, 201, made.text)
  const { group, names, versions } = made.body.spec
  await answers(api, `/apis/${group}/${versions[0].name}/${names.plural}`, 200)
  return made
}

export const widget = (spec: unknown, name = 'w') => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name },
  ...(spec === undefined ? {} : { spec }),
})
