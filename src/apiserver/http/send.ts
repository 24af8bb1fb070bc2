// effect: HTTP responses
// An answer as it goes out: whole, piece by piece as the client reads, or as what others say.

import { pipeline, Readable } from 'node:stream'
import { statusAnswer, warningHeader, type Answer } from '#apiserver/http/answer.ts'
import { destinationOf } from '#apiserver/http/backend.ts'
import type { Request } from '#apiserver/http/body.ts'
import { statusOf } from '#apiserver/http/dispatch.ts'
import type { Door } from '#apiserver/http/door.ts'
import { proxy } from '#apiserver/http/proxy.ts'
import { relay } from '#apiserver/http/relay.ts'
import { streamWatch, type Response } from '#apiserver/http/watch-stream.ts'

/** More than this is sent as fast as the client reads, and not before. */
const streamedBytes = 512 * 1024

/** As much goes out in one piece with its headers, which only a string does: one TLS record in place of two. */
const oneRecordBytes = 8 * 1024

/** The bytes as the string that is written as just these. */
function latin1Of(parts: readonly Uint8Array[]): string {
  const [first] = parts
  const bytes = first !== undefined && parts.length === 1 ? first : Buffer.concat(parts)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Answers the HTTP status that was sent. */
export async function send(door: Door, request: Request, response: Response, answer: Answer): Promise<number> {
  switch (answer.kind) {
    case 'watch': {
      const refused = await streamWatch(response, answer, door.clock, door.signal)
      return refused === undefined ? 200 : send(door, request, response, statusAnswer(refused))
    }
    case 'relay':
    case 'proxy': {
      const instead = await passOn(door, request, response, answer)
      return instead === undefined ? response.statusCode : send(door, request, response, instead)
    }
    case 'stream':
      response.writeHead(200, { 'content-type': answer.contentType })
      await pipelineOf(answer.chunks, response)
      return 200
    case 'bytes': {
      const size = answer.parts.reduce((sum, { length }) => sum + length, 0)
      const headers: Record<string, string | string[]> = {
        'content-type': answer.contentType,
        'content-length': String(size),
        'cache-control': 'no-cache, private',
        ...answer.headers,
      }
      if (answer.warnings !== undefined && answer.warnings.length > 0)
        headers['warning'] = answer.warnings.map(warningHeader)
      response.writeHead(answer.code, headers)
      const isHead = request.method === 'HEAD'
      if (isHead) response.end()
      else if (size <= oneRecordBytes) response.end(latin1Of(answer.parts), 'latin1')
      else if (size <= streamedBytes)
        response.end(answer.parts.length === 1 ? answer.parts[0]! : Buffer.concat(answer.parts))
      else await pipelineOf(batches(answer.parts), response)
      return answer.code
    }
  }
}

/** Undefined: the other end has answered, and that was sent. */
async function passOn(
  door: Door,
  request: Request,
  response: Response,
  answer: Extract<Answer, { kind: 'relay' | 'proxy' }>,
): Promise<Answer | undefined> {
  try {
    const backend = answer.kind === 'relay' ? ({ kind: 'agent', node: answer.node } as const) : answer.backend
    const to = await destinationOf(door.engine.objects, door.trust, backend)
    if (answer.kind === 'relay') return await relay(to, answer.pathAndQuery, request, response)
    return await proxy(to, answer, request, response)
  } catch (error) {
    return statusAnswer(statusOf(error, () => {}))
  }
}

/** As fast as the client reads. */
function pipelineOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, response: Response): Promise<void> {
  return new Promise((resolve) =>
    pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 2 }), response, () => resolve()),
  )
}

function* batches(parts: readonly Uint8Array[]): Iterable<Uint8Array> {
  let batch: Uint8Array[] = []
  let size = 0
  for (const part of parts) {
    batch.push(part)
    size += part.length
    if (size < 128 * 1024) continue
    yield Buffer.concat(batch, size)
    batch = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(batch, size)
}
