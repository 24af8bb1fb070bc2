import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '#daemon/clock.ts'
import { createLogger, type Logger } from '#daemon/log.ts'

// 27 October 2016, 22:14:53.998163, local time as klog has it
const at = new Date(2016, 9, 27, 22, 14, 53, 998).getTime() + 0.163
const pid = String(process.pid).padStart(7)

function logged(act: (log: Logger) => void, options: { format?: 'text' | 'json'; level?: number } = {}): string {
  let output = ''
  const { format = 'text', level = 0 } = options
  act(createLogger({ format, level, clock: fakeClock(at), write: (line) => (output += line) }))
  return output.replaceAll(/log\.test\.ts:\d+/g, 'log.test.ts:N')
}

test('log: the header of klog, and a plain message as it is', () => {
  const output = logged((log) => log.info('Adding new service "default/kubernetes:https" at 10.0.0.1:443/TCP'))
  const want = 'Adding new service "default/kubernetes:https" at 10.0.0.1:443/TCP'
  assert.equal(output, `I1027 22:14:53.998163 ${pid} log.test.ts:N] ${want}\n`)
})

test('log: the line is that of the caller', () => {
  let output = ''
  const log = createLogger({ format: 'text', level: 0, write: (line) => (output += line) })
  log.info('here')
  const here = /log\.test\.ts:(\d+)/.exec(new Error().stack!)![1]!
  assert.match(output, new RegExp(`log\\.test\\.ts:${Number(here) - 1}\\] here`))
})

test('log: values as structured klog writes them', () => {
  const output = logged((log) =>
    log.with({ part: 'proxy' }).warn('Set "x"', {
      name: 'a b',
      count: 3,
      ok: true,
      list: ['a', 'b'],
      err: new Error('no'),
      not: undefined,
      nothing: null,
    }),
  )
  const want = String.raw`"Set \"x\"" part="proxy" name="a b" count=3 ok=true list=["a","b"] err="no" nothing=null`
  assert.equal(output, `W1027 22:14:53.998163 ${pid} log.test.ts:N] ${want}\n`)
})

test('log: levels', () => {
  const act = (log: Logger) => {
    log.debug('two')
    log.debug('four', {}, 4)
    log.error('always')
  }
  assert.equal(logged(act).trim().split('\n').length, 1)
  assert.equal(logged(act, { level: 2 }).trim().split('\n').length, 2)
  assert.equal(logged(act, { level: 4 }).trim().split('\n').length, 3)
})

test('log: JSON lines', () => {
  const output = logged((log) => log.error('failed', { err: new Error('no'), code: 7 }), { format: 'json' })
  const want = { ts: at, level: 'error', caller: 'log.test.ts:N', msg: 'failed', err: 'no', code: 7 }
  assert.deepEqual(JSON.parse(output), want)
})
