// What a watch sends, and when it ends.
import * as assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { expired, StatusError } from '#api/status.ts'
import { fakeClock } from '#daemon/clock.ts'
import type { WatchEvent, WatchSink } from '#apiserver/engine/watch.ts'
import { streamWatch, type Response } from '#apiserver/http/watch-stream.ts'

/** A response that keeps what is written, read by a client or not. */
class FakeResponse extends EventEmitter {
  lines: string[] = []
  writableLength = 0
  writableEnded = false
  destroyed = false
  reads = true
  #done: (() => void) | undefined
  /** The client reads what is there, and whatever comes after. */
  read() {
    this.reads = true
    this.writableLength = 0
    this.#done?.()
  }
  writeHead() {}
  flushHeaders() {}
  write(bytes: Uint8Array, done?: () => void) {
    if (this.reads) queueMicrotask(() => done?.())
    else {
      this.writableLength += bytes.length
      this.#done = done
    }
    this.lines.push(...Buffer.from(bytes).toString().trim().split('\n'))
    return true
  }
  end(bytes?: Uint8Array) {
    if (bytes !== undefined) this.write(bytes)
    this.writableEnded = true
  }
  destroy() {
    this.destroyed = true
    this.emit('close')
  }
}

function start(options: { bookmarks?: boolean; timeoutMs?: number; first?: number } = {}) {
  const clock = fakeClock(0)
  const ending = new AbortController()
  const fake = new FakeResponse()
  fake.reads = options.first === undefined
  let sink: WatchSink = () => {}
  let stopped = false
  const watch = {
    kind: 'watch' as const,
    contentType: 'application/json',
    encode: (event: WatchEvent) =>
      new TextEncoder().encode(event.kind === 'bookmark' ? `bookmark ${event.revision}\n` : `${'x'.repeat(1024)}\n`),
    bookmarks: options.bookmarks ?? false,
    ended: new AbortController().signal,
    timeoutMs: options.timeoutMs ?? 3_600_000,
    open: async (to: WatchSink) => {
      sink = to
      if (options.first !== undefined) to(Array.from({ length: options.first }, () => object))
      return () => {
        stopped = true
      }
    },
    revision: () => 7,
  }
  const object = { kind: 'object', type: 'ADDED', entry: undefined, of: undefined } as unknown as WatchEvent
  const done = streamWatch(fake as unknown as Response, watch, clock, ending.signal)
  return {
    clock,
    ending,
    fake,
    done,
    send: (count: number) => sink(Array.from({ length: count }, () => object)),
    isStopped: () => stopped,
  }
}

test('bookmarks each minute and before the end', async () => {
  const { clock, fake, done, isStopped } = start({ bookmarks: true, timeoutMs: 150_000 })
  await clock.advance(149_000)
  assert.deepEqual(fake.lines, ['bookmark 7', 'bookmark 7'])
  await clock.advance(1000)
  await done
  assert.equal(fake.lines.length, 3)
  assert.deepEqual([fake.writableEnded, isStopped(), clock.waiting], [true, true, 0])
})

test('without bookmarks it only ends', async () => {
  const { clock, fake, done } = start({ timeoutMs: 150_000 })
  await clock.advance(150_000)
  await done
  assert.deepEqual([fake.lines, fake.writableEnded], [[], true])
})

test('a client that does not read is cut', async () => {
  const { clock, fake, done, send, isStopped } = start()
  await clock.advance(0)
  send(1000)
  assert.equal(fake.destroyed, false)
  fake.reads = false
  for (let n = 0; n < 20 && !fake.destroyed; n++) send(1000)
  await done
  assert.deepEqual([fake.destroyed, isStopped()], [true, true])
  assert.ok(fake.writableLength < 20 * 1024 * 1024)
})

test('what a watch begins with is sent as it is read, however much it is', async () => {
  const count = 200_000
  const { clock, fake, send, ending, done } = start({ first: count })
  await clock.advance(0)
  send(1)
  await clock.advance(0)
  assert.ok(fake.writableLength < 200 * 1024, `${fake.writableLength} bytes wait for the client`)
  assert.equal(fake.destroyed, false)
  fake.read()
  while (fake.lines.length < count + 1) await new Promise((resolve) => setImmediate(resolve))
  ending.abort()
  await done
  assert.deepEqual([fake.lines.length, fake.writableEnded], [count + 1, true])
})

test('it ends with the client and with the server', async () => {
  const first = start()
  await first.clock.advance(0)
  first.fake.destroy()
  await first.done
  assert.equal(first.isStopped(), true)
  const second = start()
  await second.clock.advance(0)
  second.ending.abort()
  await second.done
  assert.deepEqual([second.fake.writableEnded, second.isStopped()], [true, true])
})

test('what cannot start says so as its only event', async () => {
  const fake = new FakeResponse()
  const watch = {
    kind: 'watch' as const,
    contentType: 'application/json',
    encode: () => new Uint8Array(),
    bookmarks: false,
    ended: new AbortController().signal,
    timeoutMs: 1000,
    open: async () => {
      throw new StatusError(expired('too old resource version: 1 (9)'))
    },
    revision: () => 9,
  }
  await streamWatch(fake as unknown as Response, watch, fakeClock(0), new AbortController().signal)
  const event = JSON.parse(fake.lines[0]!) as { type: string; object: { code: number; reason: string } }
  assert.deepEqual([event.type, event.object.code, event.object.reason], ['ERROR', 410, 'Expired'])
})
