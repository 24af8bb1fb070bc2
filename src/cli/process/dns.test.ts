// The subcommand as a user meets it.
import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { fairway } from '#test/fairway.ts'

function start(
  t: TestContext,
  corefile: string,
  ...words: readonly string[]
): { readonly status: number | null; readonly stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-dns-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'Corefile'), corefile)
  return fairway(['dns', '--conf', join(folder, 'Corefile'), ...words])
}

test('dns: what is wrong is said in words that tell what to do', (t) => {
  const rows: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['.:53 {\n  autopath @kubernetes\n}\n', [], /Corefile:2: unknown plugin "autopath": known are /],
    ['.:53 {\n  forward . /no/such/file\n}\n', [], /cannot read \/no\/such\/file/],
    ['.:53 {\n  errors\n}\n', ['--address', '192.0.2.1'], /192\.0\.2\.1:53: this machine does not have that address/],
    ['.:53 {\n  errors\n}\n', ['--address', 'here'], /"here" is no address to listen on/],
    ['.:53 {\n  errors\n}\n', ['--node-local', 'here'], /--node-local "here" is no address/],
    ['.:53 {\n  kubernetes a.test\n}\n', ['--kubeconfig', '/no/such/kubeconfig'], /\/no\/such\/kubeconfig/],
  ]
  for (const [corefile, words, message] of rows) {
    const { status, stderr } = start(t, corefile, ...words)
    assert.notEqual(status, 0, stderr)
    assert.match(stderr, message)
  }
  assert.match(
    fairway(['dns', '--conf', '/no/Corefile']).stderr,
    /cannot read the Corefile \/no\/Corefile.*\n.*--conf FILE/,
  )
})

test('deploy/dns.yaml: it may do no more than it must, and is selected by kube-dns', () => {
  const objects = parseAllDocuments(readFileSync('deploy/dns.yaml', 'utf8')).map((document) => document.toJS())
  const role = objects.find(({ kind }) => kind === 'ClusterRole')
  assert.deepEqual([...new Set(role.rules.flatMap(({ verbs }: { verbs: string[] }) => verbs))], ['list', 'watch'])
  const deployment = objects.find(({ kind }) => kind === 'Deployment')
  assert.equal(deployment.spec.template.metadata.labels['k8s-app'], 'kube-dns')
  assert.equal(deployment.spec.template.spec.containers[0].args[0], 'dns')
})
