// SPDY/3.1 against its own text: bytes that other programs write, streams over a pair of sockets, and rubbish.
import * as assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { duplexPair, type Duplex } from 'node:stream'
import { test } from 'node:test'
import { constants, createDeflate, type Deflate } from 'node:zlib'
import { concat, toHex, utf8 } from '#lib/bytes.ts'
import { SpdyConnection, type SpdyStream } from '#node/server/spdy/connection.ts'
import { encodeFrame, FrameParser, ProtocolError, type Frame } from '#node/server/spdy/frame.ts'
import { dictionary, HeaderReader, HeaderWriter } from '#node/server/spdy/header-block.ts'
import { seeded } from '#test/random.ts'

const block = Uint8Array.of(1, 2, 3)
const frames: readonly (readonly [string, Frame])[] = [
  ['80030001 0100000d 00000001 00000000 0000 010203', { kind: 'synStream', id: 1, isFin: true, block }],
  ['80030002 00000007 00000001 010203', { kind: 'synReply', id: 1, isFin: false, block }],
  ['80030003 00000008 00000003 00000005', { kind: 'reset', id: 3, status: 5 }],
  ['80030006 00000004 00000007', { kind: 'ping', id: 7 }],
  ['80030007 00000008 00000009 00000000', { kind: 'goAway', lastId: 9 }],
  ['80030008 00000007 00000005 010203', { kind: 'headers', id: 5, isFin: false, block }],
  ['00000005 01000003 010203', { kind: 'data', id: 5, isFin: true, data: block }],
]

test('each frame is the bytes that the draft draws', () => {
  for (const [hex, frame] of frames) {
    assert.equal(toHex(encodeFrame(frame)), hex.replaceAll(' ', ''), frame.kind)
    assert.deepEqual([...new FrameParser().parse(encodeFrame(frame))], [frame])
  }
})

test('frames cut anywhere are the same frames; settings and windows are passed over', () => {
  const ignored = Uint8Array.of(0x80, 3, 0, 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 9)
  const all = concat(ignored, ...frames.map(([, frame]) => encodeFrame(frame)), ignored)
  for (let size = 1; size < all.length; size++) {
    const parser = new FrameParser()
    const found: Frame[] = []
    for (let at = 0; at < all.length; at += size)
      for (const frame of parser.parse(all.subarray(at, at + size))) {
        const last = found.at(-1)
        // Data comes in as many parts as it arrived in.
        if (frame.kind === 'data' && last?.kind === 'data' && !last.isFin)
          found.splice(-1, 1, { ...frame, data: concat(last.data, frame.data) })
        else found.push(frame)
      }
    assert.deepEqual(
      found,
      frames.map(([, frame]) => frame),
      `pieces of ${size}`,
    )
  }
})

test('the dictionary is the one of the draft', () => {
  // zlib names a dictionary by its Adler-32: the stream that begins with it must say e3c6a7c2.
  let [a, b] = [1, 0]
  for (const byte of dictionary) [a, b] = [(a + byte) % 65521, (b + a + byte) % 65521]
  assert.equal(((b * 65536 + a) >>> 0).toString(16), 'e3c6a7c2')
})

/** As other programs write headers: compressed, each block going on where the last one ended. */
async function compress(deflate: Deflate, headers: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const number = (n: number) => Uint8Array.of(0, 0, n >> 8, n & 255)
  const word = (text: string) => concat(number(text.length), utf8(text))
  const entries = Object.entries(headers)
  const chunks: Uint8Array[] = []
  deflate.removeAllListeners('data').on('data', (chunk: Uint8Array) => chunks.push(chunk))
  deflate.write(concat(number(entries.length), ...entries.flatMap(([name, value]) => [word(name), word(value)])))
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve))
  return concat(...chunks)
}

test('headers: compressed ones are read, ours are read back, one block after the other', async () => {
  const deflate = createDeflate({ dictionary })
  const [theirs, ours, writer] = [new HeaderReader(), new HeaderReader(), new HeaderWriter()]
  for (const headers of [{ streamtype: 'data', port: '80', requestid: '0' }, {}, { streamtype: 'error', x: 'y' }]) {
    assert.deepEqual(await theirs.read(await compress(deflate, headers)), headers)
    assert.deepEqual(await ours.read(writer.write(headers)), headers)
  }
  await assert.rejects(theirs.read(Uint8Array.of(9, 9, 9, 9)), ProtocolError)
  await assert.rejects(
    new HeaderReader().read(
      await compress(createDeflate({ dictionary }), { x: 'a'.repeat(60_000), y: 'b'.repeat(60_000) }),
    ),
    /too long/,
  )
})

function pair(onStream: (stream: SpdyStream) => void): { client: SpdyConnection; server: SpdyConnection } {
  const [one, two] = duplexPair()
  return {
    client: new SpdyConnection(one, new Uint8Array(), { isServer: false, onStream: () => undefined }),
    server: new SpdyConnection(two, new Uint8Array(), { isServer: true, onStream }),
  }
}

async function read(stream: Duplex): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts)
}

test('streams: both directions, many at once, each to its own end', async () => {
  const { client, server } = pair((stream) => void stream.pipe(stream))
  await Promise.all(
    Array.from({ length: 50 }, async (_, n) => {
      const sent = randomBytes(1000 + n * 60_000)
      const stream = client.open({ n: String(n) })
      stream.end(sent)
      assert.deepEqual(
        createHash('sha1')
          .update(await read(stream))
          .digest(),
        createHash('sha1').update(sent).digest(),
      )
    }),
  )
  client.close()
  await Promise.all([client.closed, server.closed])
})

test('a stream that nobody reads holds up the sender, and not for ever', async () => {
  const opened: SpdyStream[] = []
  const { client } = pair((stream) => opened.push(stream))
  const stream = client.open({})
  const state = { written: 0 }
  const write = () =>
    stream.write(new Uint8Array(100_000), () => {
      state.written += 100_000
      if (state.written < 20_000_000) write()
    })
  write()
  while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.ok(state.written < 2_000_000, `${state.written} bytes were taken`)
  opened[0]!.destroy()
  while (state.written < 20_000_000 && !stream.destroyed) await new Promise((resolve) => setImmediate(resolve))
})

test('a connection that breaks ends its streams', async () => {
  const [one, two] = duplexPair()
  const streams: SpdyStream[] = []
  const server = new SpdyConnection(two, new Uint8Array(), {
    isServer: true,
    onStream: (stream) => streams.push(stream),
  })
  const client = new SpdyConnection(one, new Uint8Array(), { isServer: false, onStream: () => undefined })
  client.open({ a: 'b' })
  while (streams.length === 0) await new Promise((resolve) => setImmediate(resolve))
  one.destroy()
  await Promise.all([server.closed, client.closed])
  assert.ok(streams[0]!.destroyed)
})

test('rubbish ends the connection, never the process', async () => {
  const runs = process.env['FAIRWAY_SOAK'] ? 5000 : 200
  for (let seed = 1; seed <= runs; seed++) {
    const random = seeded(seed)
    const [one, two] = duplexPair()
    const server = new SpdyConnection(two, new Uint8Array(), {
      isServer: true,
      onStream: (stream) => void stream.resume(),
    })
    one.on('error', () => undefined).resume()
    for (let n = 0; n < 5; n++) {
      const valid = encodeFrame(random.pick(frames)[1])
      for (let hits = random.integer(0, 3); hits > 0; hits--)
        valid[random.integer(0, valid.length - 1)] = random.integer(0, 255)
      one.write(valid)
    }
    one.end()
    await server.closed.catch((error: unknown) => assert.fail(`seed ${seed}: ${String(error)}`))
  }
})

test('a text is no SPDY', () =>
  assert.throws(() => [...new FrameParser().parse(utf8('\x80\x02GET / HTTP/1.1'))], ProtocolError))
