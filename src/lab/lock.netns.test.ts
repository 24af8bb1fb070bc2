import * as assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { lockCluster } from '#lab/lock.ts'
import { defaultRoots } from '#lab/plan.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true })
const name = `t-lock-${process.pid}`
const path = `${defaultRoots.state}/.${name}.lock`

/** Another process that has the lock. */
async function holder(): Promise<ChildProcess> {
  const script = `import { lockCluster } from '#lab/lock.ts'; globalThis.lock = lockCluster('${name}'); console.log('locked'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('lock: who comes second is told who has it; a kill frees it', { skip }, async () => {
  const child = await holder()
  const message = new RegExp(`at work on the cluster "${name}" \\(process ${child.pid}\\)`)
  assert.throws(() => lockCluster(name), message)
  assert.throws(() => lockCluster(name), message)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  const lock = lockCluster(name)
  assert.throws(() => lockCluster(name), new RegExp(`\\(process ${process.pid}\\)`))
  lock[Symbol.dispose]()
  assert.equal(existsSync(path), false)
})

test('lock: what is left in the file by others does not matter', { skip }, () => {
  for (const text of ['', 'nonsense', '{"pid":1,"startTime":0}']) {
    writeFileSync(path, text)
    using _lock = lockCluster(name)
    assert.throws(() => lockCluster(name), new RegExp(`\\(process ${process.pid}\\)`))
  }
})
