import * as assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodes } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import type { UserError } from '#daemon/error.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-kubeconfig-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, user: object, cluster: object = {}): string {
  const path = join(folder, name)
  const config = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}

test('kubeconfig: files beside it', () => {
  mkdirSync(join(folder, 'pki'))
  writeFileSync(join(folder, 'pki', 'a.crt'), 'CERT')
  writeFileSync(join(folder, 'pki', 'a.key'), 'KEY')
  const path = write('files', { 'client-certificate': 'pki/a.crt', 'client-key': 'pki/a.key', tokenFile: 'token' })
  const { server, cert, key, tokenFile, ca } = loadKubeconfig(path)
  assert.deepEqual(
    { server, cert, key, tokenFile, ca },
    { server: 'https://10.0.0.1:6443', cert: 'CERT', key: 'KEY', tokenFile: join(folder, 'token'), ca: undefined },
  )
})

test('kubeconfig: $KUBECONFIG, and files that are not there', () => {
  const path = write('env', { token: 't' })
  const before = process.env['KUBECONFIG']
  process.env['KUBECONFIG'] = `${folder}/nothing:${path}`
  assert.equal(loadKubeconfig().token, 't')
  if (before === undefined) delete process.env['KUBECONFIG']
  else process.env['KUBECONFIG'] = before
  const failure = (path: string) => {
    try {
      loadKubeconfig(path)
    } catch (error) {
      return (error as UserError).message.replaceAll(folder, 'F')
    }
    return 'no failure'
  }
  assert.equal(failure(`${folder}/nothing`), 'cannot read the kubeconfig: F/nothing: there is no such file')
  assert.equal(
    failure(write('broken', { 'client-key': 'nothing' })),
    'cannot read the client key of F/broken: F/nothing: there is no such file',
  )
})

test('kubeconfig: a token file is sent, and the header of a plain token', async () => {
  await using server = await FakeKubernetes.start()
  const sent: (string | undefined)[] = []
  server.intercept = ({ headers }) => {
    sent.push(headers.authorization)
    return false
  }
  writeFileSync(join(folder, 'sa-token'), 'abc\n')
  for (const user of [{ token: 'xyz' }, { tokenFile: 'sa-token' }, {}]) {
    const client = connect(loadKubeconfig(write('token', user, { server: `${server.url}/` })))
    await client.list(nodes)
    client.close()
  }
  assert.deepEqual(sent, ['Bearer xyz', 'Bearer abc', undefined])
})
