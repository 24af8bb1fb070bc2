import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { close, pipe } from '#kernel/ffi.ts'
import { readPipe, spawnProgram } from '#kernel/spawn.ts'
import { need } from '#test/need.ts'

const skip = need({})

/** What a shell script writes on its file 3, and how it ends. */
async function run(script: string, newSession = false): Promise<{ readonly said: string; readonly code: number }> {
  const { readEnd, writeEnd } = pipe()
  const said = readPipe(readEnd)
  const env = { PATH: process.env['PATH']!, GREETING: 'hello' }
  const files = [undefined, undefined, undefined, writeEnd]
  const code = spawnProgram('/bin/sh', ['-c', script], { env, files, newSession })
  close(writeEnd)
  return { said: await said, code: await code }
}

test('a program has the environment and the files that it is given, and its end is told', { skip }, async () => {
  assert.deepEqual(await run('echo $GREETING $0 >&3; cat; echo unheard; exit 3'), { said: 'hello /bin/sh\n', code: 3 })
  assert.deepEqual(await run('kill -9 $$'), { said: '', code: 137 })
  const others = 'for n in 4 5 6 7 8 9; do test -e /proc/$$/fd/$n && echo $n >&3; done; true'
  assert.deepEqual(await run(others), { said: '', code: 0 })
})

test('no signal is ignored or blocked in it', { skip }, async () => {
  const { said } = await run('grep -E "Sig(Ign|Blk)" /proc/self/status >&3')
  assert.match(said, /^SigBlk:\s0{16}\nSigIgn:\s0{16}\n$/)
})

test('in a session of its own, or in ours', { skip }, async () => {
  const session = 'cut -d" " -f1,6 /proc/$$/stat >&3'
  const [own, ours] = [await run(session, true), await run(session)].map(({ said }) => said.trim().split(' '))
  assert.equal(own![0], own![1])
  assert.notEqual(ours![0], ours![1])
})

test('many at once, each with its own end', { skip }, async () => {
  const codes = Array.from({ length: 30 }, (_, i) => run(`echo ${i} >&3; exit ${i}`))
  assert.deepEqual(
    await Promise.all(codes),
    codes.map((_, i) => ({ said: `${i}\n`, code: i })),
  )
})

test('a program that there is not', { skip }, () => {
  assert.throws(
    () => spawnProgram('/bin/nothing', [], { env: {}, files: [] }),
    /cannot run \/bin\/nothing: No such file/,
  )
})

test('a pipe is read until what is waited for', { skip }, async () => {
  const { readEnd, writeEnd } = pipe()
  const first = readPipe(readEnd, '\n')
  const ended = spawnProgram('/bin/sh', ['-c', 'echo one >&0; sleep 0.1; exec sleep 0'], { env: {}, files: [writeEnd] })
  close(writeEnd)
  assert.match(await first, /^one\n/)
  await ended
})
