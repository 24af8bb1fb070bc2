import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { renderKubeconfig } from '#client/render-kubeconfig.ts'
import { mergeKubeconfig, removeFromKubeconfig, renameKubeconfig, serverNamed } from '#lab/merge-kubeconfig.ts'

const own = renderKubeconfig({
  name: 'small',
  user: 'kubernetes-admin',
  server: 'https://10.168.0.250:6443',
  ca: 'CA',
  cert: 'CERT',
  key: 'KEY',
})
const added = renameKubeconfig(own, 'fairway-small')
const existing = `# mine
apiVersion: v1
kind: Config
clusters:
  - name: work # the real one
    cluster: {server: "https://work.example.com"}
users:
  - name: me
    user: {token: secret}
contexts:
  - name: work
    context: {cluster: work, user: me}
current-context: work
preferences: {colors: true}
`
const names = (text: string) => {
  const { clusters, users, contexts, ...rest } = parse(text) as Record<string, { name: string }[]>
  return { clusters: clusters!.map((one) => one.name), users: users!.map((one) => one.name), contexts, ...rest }
}

test('a cluster joins the others, and becomes the current one', () => {
  const merged = mergeKubeconfig(existing, added, 'config')
  assert.match(merged, /^# mine\n/)
  assert.match(merged, /# the real one/)
  assert.deepEqual(names(merged), {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: ['work', 'fairway-small'],
    users: ['me', 'fairway-small'],
    contexts: [
      { name: 'work', context: { cluster: 'work', user: 'me' } },
      { name: 'fairway-small', context: { cluster: 'fairway-small', user: 'fairway-small' } },
    ],
    'current-context': 'fairway-small',
    preferences: { colors: true },
  })
  assert.equal(serverNamed(merged, 'fairway-small', 'config'), 'https://10.168.0.250:6443')
  assert.equal(mergeKubeconfig(merged, added, 'config'), merged)
})

test('out again: the file is what it was, but for the current context', () => {
  const without = removeFromKubeconfig(mergeKubeconfig(existing, added, 'config'), 'fairway-small', 'config')!
  assert.deepEqual(names(without), { ...names(existing), 'current-context': '' })
  assert.equal(removeFromKubeconfig(existing, 'fairway-small', 'config'), undefined)
})

for (const [what, text] of [
  ['an empty file', ''],
  ['lists that are empty', 'apiVersion: v1\nkind: Config\nclusters: []\nusers: null\ncontexts: []\n'],
] as const)
  test(`into ${what}`, () =>
    assert.deepEqual(names(mergeKubeconfig(text, added, 'config')).clusters, ['fairway-small']))

test('a file that is no kubeconfig stays as it is', () => {
  assert.throws(
    () => mergeKubeconfig('- a\n- b\n', added, '/root/.kube/config'),
    /\/root\/.kube\/config is no kubeconfig/,
  )
  assert.throws(() => mergeKubeconfig('a: [', added, 'f'), /f is no kubeconfig file/)
})
