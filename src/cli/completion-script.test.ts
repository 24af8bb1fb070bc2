// The scripts are tried in the shells themselves.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Described, renderCompletion } from '#cli/completion-script.ts'
import { choice, number, text, toggle } from '#daemon/flags.ts'
import { need } from '#test/need.ts'

/** Shells leave files of their own at home. */
const home = mkdtempSync(join(tmpdir(), 'fairway-shells-'))
after(() => rmSync(home, { recursive: true, force: true }))

const commands: readonly Described[] = [
  {
    name: 'up',
    summary: "a cluster, and all that's in it",
    flags: {
      filename: text({ help: 'a file', short: 'f', placeholder: 'FILE' }),
      nodes: number({ help: 'how many' }),
      proxyMode: choice(['iptables', 'nftables', 'ipvs'], { help: 'which mode' }),
      install: toggle({ help: 'install', default: true }),
    },
  },
  { name: 'node', summary: 'a node', flags: { kubeconfig: text({ help: 'a file', placeholder: 'FILE' }) } },
  { name: 'node add', summary: 'add one', flags: {} },
  { name: 'node start', summary: 'start one', flags: { part: text({ help: 'a part' }) } },
]

/** What each shell offers for the last of these words. */
const inBash = (words: readonly string[]) => `${renderCompletion('bash', commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; COMPREPLY=()
_fairway; printf '%s\\n' "\${COMPREPLY[@]}"`
const inFish = (words: readonly string[]) => `${renderCompletion('fish', commands)}
complete -C '${words.join(' ')}' | string replace -r '\\t.*' ''; true`

const cases: readonly (readonly [words: readonly string[], bash: readonly string[], fish?: readonly string[]])[] = [
  [['fairway', 'u'], ['up']],
  [['fairway', 'no'], ['node']],
  [
    ['fairway', 'node', ''],
    ['add', 'start', '--kubeconfig', '--help'],
    ['add', 'start'],
  ],
  [['fairway', 'node', 's'], ['start']],
  [['fairway', 'node', 'start', '--p'], ['--part']],
  [
    ['fairway', 'up', '--n'],
    ['--nodes', '--no-install'],
  ],
  [
    ['fairway', 'up', '--proxy-mode', 'ip'],
    ['iptables', 'ipvs'],
  ],
  [['fairway', 'up', '-f', 'examples/clusterip'], ['examples/clusteripservice.yaml']],
  [['fairway', 'up', '--nodes', ''], []],
]
for (const [words, bash, fish = bash] of cases) {
  test(`bash completes: ${words.join(' ')}`, { skip: need({ programs: ['bash'] }) }, () =>
    assert.deepEqual(offered('bash', ['--norc', '-c', inBash(words)]), [...bash].sort()),
  )
  test(`fish completes: ${words.join(' ')}`, { skip: need({ programs: ['fish'] }) }, () =>
    assert.deepEqual(offered('fish', ['--no-config', '-c', inFish(words)]), [...fish].sort()),
  )
}

test('zsh takes the completion of bash', { skip: need({ programs: ['zsh'] }) }, () => {
  const script = `${renderCompletion('zsh', commands).replace('compinit\n', 'compinit -u\n')}\nprint -r -- $_comps[fairway]`
  assert.deepEqual(offered('zsh', ['-f', '-c', script]), ['_bash_complete -o filenames -F _fairway'])
})

function offered(shell: string, words: readonly string[]): readonly string[] {
  const { stdout, stderr, status } = spawnSync(shell, words, {
    encoding: 'utf8',
    env: { ...process.env, HOME: home },
  })
  assert.equal(status, 0, stderr)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort()
}
