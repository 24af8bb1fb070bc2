import * as assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { blocksSignal, identify, isAlive, signalProcess, whenExited } from '#kernel/process.ts'
import { need } from '#test/need.ts'

const skip = need({})

test('a process is known by number and start time', { skip }, async () => {
  const child = spawn('sleep', ['30'])
  const identity = identify(child.pid!)!
  assert.equal(identity.pid, child.pid)
  assert.equal(isAlive(identity), true)
  const stranger = { ...identity, startTime: identity.startTime - 1 }
  assert.equal(isAlive(stranger), false)
  assert.equal(signalProcess(stranger, 'SIGKILL'), false)
  assert.equal(isAlive(identity), true)
  const exited = whenExited(identity)
  assert.equal(signalProcess(identity, 'SIGTERM'), true)
  await exited
  await new Promise((resolve) =>
    child.exitCode === null && child.signalCode === null ? child.on('exit', resolve) : resolve(0),
  )
  assert.equal(isAlive(identity), false)
  assert.equal(signalProcess(identity, 'SIGTERM'), false)
  await whenExited(identity)
})

test('the end of a process that is no child is heard', { skip }, async () => {
  // The shell ends at once and leaves the sleeper to somebody else.
  const shell = spawn('sh', ['-c', 'sleep 0.2 & echo $!'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const pid = Number(await new Promise((resolve) => shell.stdout.once('data', resolve)))
  const identity = identify(pid)!
  await whenExited(identity)
  assert.equal(isAlive(identity), false)
})

test('nobody has this number', { skip }, () => {
  assert.equal(identify(2 ** 22 + 1), undefined)
})

test('whether a process holds a signal back', { skip: skip || need({ programs: ['python3'] }) }, async () => {
  assert.equal(blocksSignal(process.pid, 'SIGWINCH'), false)
  assert.equal(blocksSignal(2 ** 22 + 1, 'SIGWINCH'), false)
  const script = `import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH]); print('', flush=True); time.sleep(30)`
  const child = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  assert.equal(blocksSignal(child.pid!, 'SIGWINCH'), true)
  assert.equal(blocksSignal(child.pid!, 'SIGURG'), false)
  child.kill('SIGKILL')
})
