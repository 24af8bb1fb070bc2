// The table in src/apiserver/README.md says what each kubectl can do; here the one on the PATH, and those that
// FAIRWAY_KUBECTLS names, are held to it.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { commands, readCommandTable, tryCommands } from '#test/kubectl-commands.ts'
import { given } from '#test/kubectls.ts'
import { need } from '#test/need.ts'
import { readTable } from '#test/readme-table.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'iptables', 'curl', 'openssl', 'bash'] })
let live: LiveCluster
let folder: string

before(() => {
  if (skip !== false) return
  folder = mkdtempSync(join(tmpdir(), 'fairway-kubectls-'))
  live = new LiveCluster('kubectls', ['--nodes', '2'])
})
after(() => {
  live?.down()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

for (const kubectl of given())
  test(`kubectl 1.${kubectl.minor} does what the table says`, { skip }, async () => {
    const table = readCommandTable(readTable('src/apiserver/README.md', 'kubectl'), kubectl.minor)
    assert.ok(table, `the table has no kubectl 1.${kubectl.minor}: npm run tables`)
    const said: string[] = []
    const verdicts = await tryCommands(kubectl, live, folder, (command, text) => said.push(`${command}:\n${text}`))
    const wanted = commands.map(({ name }) => `${name}: ${table.get(name)}`)
    assert.deepEqual(
      commands.map(({ name }) => `${name}: ${verdicts.get(name)}`),
      wanted,
      said.join('\n\n'),
    )
  })
