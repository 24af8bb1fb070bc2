import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseKubeconfig } from '#client/parse-kubeconfig.ts'

const config = `
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: local
  cluster:
    server: https://10.168.0.250:6443/
    certificate-authority-data: ${btoa('CA PEM')}
    tls-server-name: kubernetes
- name: nowhere
  cluster: {}
contexts:
- name: one
  context: { cluster: local, user: admin, namespace: team }
- name: two
  context: { cluster: local, user: token }
- name: three
  context: { cluster: missing, user: token }
- name: four
  context: { cluster: nowhere, user: token }
- name: five
  context: { cluster: local, user: plugin }
users:
- name: admin
  user: { client-certificate: admin.crt, client-key-data: ${btoa('KEY PEM')} }
- name: token
  user: { token: abc, tokenFile: /run/token }
- name: plugin
  user: { exec: { command: aws } }
`

test('kubeconfig: the current context', () => {
  assert.deepEqual(parseKubeconfig(config, 'f'), {
    server: 'https://10.168.0.250:6443',
    ca: { kind: 'text', text: 'CA PEM' },
    cert: { kind: 'file', path: 'admin.crt' },
    key: { kind: 'text', text: 'KEY PEM' },
    token: undefined,
    tokenFile: undefined,
    insecure: false,
    serverName: 'kubernetes',
    namespace: 'team',
  })
  const { token, tokenFile, cert } = parseKubeconfig(config, 'f', 'two')
  assert.deepEqual([token, tokenFile, cert], ['abc', '/run/token', undefined])
})

test('kubeconfig: mistakes name the file and what is wrong', () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    [config, 'three', 'kubeconfig f: no cluster "missing"'],
    [config, 'four', 'kubeconfig f: the cluster has no server URL'],
    [config, 'five', 'kubeconfig f: user plugin logs in by exec, which is not supported'],
    [config, 'six', 'kubeconfig f: no context "six"'],
    ['clusters: []', undefined, 'kubeconfig f: no current-context'],
    ['just text', undefined, 'kubeconfig f: not a kubeconfig'],
    ['a: [', undefined, 'kubeconfig f: not YAML: '],
  ]
  for (const [text, context, message] of cases)
    assert.throws(
      () => parseKubeconfig(text, 'f', context),
      (error: Error) => error.message.startsWith(message),
      message,
    )
})
