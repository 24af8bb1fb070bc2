import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { channel, decodeFrame, encodeFrame, encodeOutcome } from '#node/server/channels.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('frames of exec', () => {
  assert.deepEqual(decodeFrame(encodeFrame(channel.stdin, bytes('hi'))), { kind: 'stdin', data: bytes('hi') })
  assert.deepEqual(decodeFrame(encodeFrame(channel.resize, bytes('{"Width":80,"Height":24}'))), {
    kind: 'resize',
    size: { width: 80, height: 24 },
  })
  assert.deepEqual(decodeFrame(Uint8Array.of(255, 0)), { kind: 'endOfStdin' })
  assert.equal(decodeFrame(encodeFrame(channel.resize, bytes('no'))), undefined)
  assert.deepEqual(decodeFrame(encodeFrame(channel.resize, bytes('{"height":1,"width":2}'))), {
    kind: 'resize',
    size: { width: 2, height: 1 },
  })
  assert.equal(decodeFrame(new Uint8Array()), undefined)
})

test('the end of exec', () => {
  const said = (exitCode: number) =>
    JSON.parse(new TextDecoder().decode(encodeOutcome({ kind: 'exited', exitCode }).subarray(1)))
  assert.equal(encodeOutcome({ kind: 'failed', message: 'no' })[0], 3)
  assert.equal(said(0).status, 'Success')
  assert.deepEqual(said(7).details.causes, [{ reason: 'ExitCode', message: '7' }])
})
