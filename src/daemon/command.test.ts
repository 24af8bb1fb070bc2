import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineCommand, renderHelp, runCommand, type CommandContext } from '#daemon/command.ts'
import { number } from '#daemon/flags.ts'
import { silentLog } from '#daemon/log.ts'

const command = defineCommand({
  name: 'up',
  summary: 'start a cluster',
  usage: '[flags]',
  examples: ['fairway up --nodes 5   # a larger one'],
  flags: { nodes: number({ help: 'how many nodes', default: 3 }) },
  run: async ({ nodes }, rest, { stdout }) => {
    stdout.write(`${nodes + 1} ${rest.join()}`)
    return nodes === 3 ? undefined : 7
  },
})

function context() {
  let output = ''
  const stdout = { write: (text: string) => (output += text) }
  const made: CommandContext = {
    signal: new AbortController().signal,
    log: silentLog,
    stdout,
    stderr: stdout,
    env: {},
    given: new Set(),
  }
  return { made, output: () => output }
}

test('command: runs with its options and answers its exit code', async () => {
  const { made, output } = context()
  assert.equal(await runCommand(command, ['--nodes', '4', 'x'], made), 7)
  assert.equal(output(), '5 x')
  assert.equal(await runCommand(command, [], made), 0)
})

test('command: help', async () => {
  const { made, output } = context()
  assert.equal(await runCommand(command, ['--nodes', '--help'], made), 0)
  assert.equal(output(), renderHelp(command))
  assert.equal(
    output(),
    `Start a cluster.

Usage:
  fairway up [flags]

Examples:
  fairway up --nodes 5   # a larger one

Flags:
      --nodes N  how many nodes (default 3)
`,
  )
})
