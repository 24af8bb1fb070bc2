import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { commands, groups } from '#cli/commands.ts'
import { renderHelp } from '#daemon/command.ts'

const words = ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts']
function fairway(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...words, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('cli: the overview has every command, in its group', () => {
  const { status, stdout } = fairway('--help')
  assert.equal(status, 0)
  const order = Object.keys(groups)
  const sorted = [...commands].sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group))
  const listed = [...stdout.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?) {3,}(.+)$/gm)].map(([, name, summary]) => [
    name,
    summary,
  ])
  assert.deepEqual(
    listed,
    sorted.map(({ name, summary }) => [name, summary]),
  )
  assert.deepEqual(fairway(), fairway('help'))
})

test('cli: each command tells the same about itself as the overview, with examples', async () => {
  for (const { name, summary, load } of commands) {
    const command = await load()
    assert.deepEqual([command.name, command.summary], [name, summary])
    assert.ok(
      command.examples.some((example) => example.includes('fairway')),
      `${name} has no example`,
    )
    assert.equal(renderHelp(command).includes('undefined'), false, name)
  }
})

test('cli: help and version', () => {
  assert.match(fairway('version').stdout, /^fairway \d+\.\d+\.\d+\nkubernetes v1\.\d+\.\d+\nnode v\d+/)
  assert.equal(fairway('--version').stdout, fairway('version').stdout)
  assert.match(fairway('help', 'version').stdout, /^Print the versions .*\.\n\nUsage:\n {2}fairway version\n/)
  assert.equal(fairway('version', '--help').stdout, fairway('help', 'version').stdout)
})

test('cli: mistakes', () => {
  const cases: readonly (readonly [string[], string])[] = [
    [['versoin'], 'fairway: unknown command "versoin"\n  did you mean: fairway version\n'],
    [['xyzzy'], 'fairway: unknown command "xyzzy"\n  see fairway --help\n'],
    [['node', 'ad'], 'fairway: unknown command "node ad"\n  did you mean: fairway node add\n'],
    [['--xyzzy'], 'fairway: unknown flag --xyzzy\n  see fairway --help\n'],
    [['version', '--halp'], 'fairway: unknown flag --halp\n  did you mean --help?\n'],
  ]
  for (const [args, want] of cases) {
    const { status, stdout, stderr } = fairway(...args)
    assert.deepEqual({ status, stdout, stderr }, { status: 2, stdout: '', stderr: want })
  }
})

test('cli: a reader that goes away is no error', async () => {
  const child = spawn(process.execPath, [...words, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const errors = (await child.stderr.setEncoding('utf8').toArray()).join('')
  assert.equal(errors, '')
})

test('cli: a reader that takes its time gets everything', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-cli-'))
  try {
    const rules = Array.from({ length: 2000 }, (_, n) => `-A FORWARD -d 10.96.${n >> 8}.${n & 255}/32 -j DROP\n`)
    writeFileSync(
      join(folder, 'rules'),
      `*filter\n:FORWARD ACCEPT [0:0]\n${rules.join('')}-A FORWARD -j ACCEPT\nCOMMIT\n`,
    )
    const command = `"$NODE" ${words.join(' ')} trace --from 10.244.1.9 --to 10.244.2.9:80 --rules "$FOLDER/rules" --all`
    const script = `${command} >"$FOLDER/all"; ${command} | { sleep 0.5; cmp - "$FOLDER/all" && wc -c <"$FOLDER/all"; }`
    const { stdout, stderr } = spawnSync('sh', ['-c', script], {
      encoding: 'utf8',
      env: { ...process.env, NODE: process.execPath, FOLDER: folder },
    })
    assert.equal(stderr, '')
    assert.ok(Number(stdout) > 100_000, stdout)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
