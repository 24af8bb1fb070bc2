// The admission oracle: what this server answers to writes, row by row.
// Each row names the part of upstream whose behaviour it states.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { suite, test } from 'node:test'
import { parse } from 'yaml'
import type { ApiObject } from '#api/meta.ts'
import { applyMergePatch } from '#api/patch/merge-patch.ts'
import { kinds } from '#apiserver/kinds.ts'
import { createTestServer, type Reply, type TestServer } from '#test/api-server.ts'

type Json = Record<string, unknown>
/** Objects are given as merge patches on the file's `base`. */
type Row = {
  name: string
  /** upstream's test or code; of the file, where the row has none */
  source?: string
  cluster?: Partial<Cluster>
  /** made before */
  given?: Json[]
  /** what the request is about, made before. Then one of: */
  old?: Json
  /** - replaces it */
  new?: Json
  /** - replaces it with what was answered, changed so */
  change?: Json
  /** - a JSON merge patch */
  patch?: Json
  /** - deletes it */
  delete?: true
  subresource?: string
  query?: string
  /** fields of the object answered; null: is not there */
  becomes?: Json
  /** the field errors of a 422 */
  refused?: string[]
  fails?: { code: number; message: string }
  warnings?: string[]
  /** made afterwards: must succeed */
  then?: Json[]
}
type Cluster = { ranges: string[]; ports: string }
type File = { url: string; source?: string; base: ApiObject; cluster?: Partial<Cluster>; setup?: Setup[]; rows: Row[] }
type Setup = { url: string; object: Json }

const folder = new URL('testdata/', import.meta.url)
const usual: Cluster = { ranges: ['10.0.0.0/16', '2000::/108'], ports: '30000-32767' }

for (const name of readdirSync(folder).filter((name) => name.startsWith('oracle-'))) {
  const file = parse(readFileSync(new URL(name, folder), 'utf8')) as File
  suite(name.slice('oracle-'.length, -'.yaml'.length), () => {
    for (const row of file.rows) test(row.name, () => check(file, row))
  })
}

async function check(file: File, row: Row): Promise<void> {
  assert.ok(row.source ?? file.source, 'names its source')
  const cluster = { ...usual, ...file.cluster, ...row.cluster }
  await using api = createTestServer({
    kinds: (objects) => kinds({ serviceClusterIpRanges: cluster.ranges, serviceNodePortRange: cluster.ports, objects }),
  })
  const namespace = { url: '/api/v1/namespaces', object: { metadata: { name: 'default' } } }
  for (const { url, object } of [namespace, ...(file.setup ?? [])])
    made(await api.request('POST', url, { body: object }))
  for (const given of row.given ?? []) made(await api.request('POST', file.url, { body: patched(file.base, given) }))
  const reply = await ask(api, file, row)
  judge(reply, file, row)
  for (const next of row.then ?? []) made(await api.request('POST', file.url, { body: patched(file.base, next) }))
}

async function ask(api: TestServer, file: File, row: Row): Promise<Reply> {
  const { base } = file
  const isWrite = row.change !== undefined || row.patch !== undefined || row.delete === true
  const suffix = `${row.subresource === undefined ? '' : `/${row.subresource}`}${row.query ?? ''}`
  if (row.old === undefined && !isWrite)
    return api.request('POST', `${file.url}${suffix}`, { body: patched(base, row.new ?? {}) })
  const old = made(await api.request('POST', file.url, { body: patched(base, row.old ?? {}) }))
  const url = `${file.url}/${old.metadata?.name}${suffix}`
  if (row.delete) return api.request('DELETE', url)
  if (row.patch) {
    const headers = { 'content-type': 'application/merge-patch+json' }
    return api.request('PATCH', url, { body: row.patch, headers })
  }
  if (row.subresource !== undefined && row.new) return api.request('POST', url, { body: row.new })
  return api.request('PUT', url, { body: row.change ? patched(old, row.change) : patched(base, row.new ?? {}) })
}

function judge({ code, body, text, warnings }: Reply, { base }: File, row: Row): void {
  if (row.refused) {
    const group = base.apiVersion?.includes('/') ? `.${base.apiVersion.split('/')[0]}` : ''
    const name = (body as { details?: { name?: string } }).details?.name ?? ''
    const [first, ...more] = row.refused
    const all = more.length === 0 ? first : `[${row.refused.join(', ')}]`
    assert.equal(
      (body as { message?: string }).message ?? text,
      `${base.kind}${group} ${JSON.stringify(name)} is invalid: ${all}`,
    )
    assert.equal(code, 422)
  } else if (row.fails) {
    const { message } = body as { message?: string }
    assert.deepEqual({ code, message: message ?? text }, row.fails)
  } else {
    assert.ok(code === 200 || code === 201, text)
    if (row.becomes) matches(body, row.becomes, '')
  }
  if (row.warnings) assert.deepEqual(warnings, row.warnings)
}

function made({ code, body, text }: Reply): ApiObject {
  assert.equal(code, 201, text)
  return body as ApiObject
}

function patched(base: ApiObject, patch: Json): ApiObject {
  const result = applyMergePatch(base as Json, patch)
  if (result.kind !== 'ok') throw new Error(`bad row: ${JSON.stringify(patch)}`)
  return result.value as ApiObject
}

/** Everything that `expected` names, and no more elements in lists than it names. */
function matches(actual: unknown, expected: unknown, path: string): void {
  if (expected === null) return assert.equal(actual, undefined, `${path} is not there`)
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is a list, not ${JSON.stringify(actual)}`)
    assert.equal(actual.length, expected.length, `${path} has ${expected.length}: ${JSON.stringify(actual)}`)
    return expected.forEach((item, index) => matches(actual[index], item, `${path}[${index}]`))
  }
  if (typeof expected !== 'object') return assert.equal(actual, expected, path)
  for (const [key, value] of Object.entries(expected as Json))
    matches((actual as Json | undefined)?.[key], value, `${path}.${key}`)
}
