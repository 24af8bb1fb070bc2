// effect: the body of an HTTP request

import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { badRequest, StatusError, tooLarge } from '#api/status.ts'

/** Of HTTP/2 too: its requests do what those of HTTP/1 do. */
export type Request = IncomingMessage

/** Kubernetes' own limit. */
export const mostBodyBytes = 3 * 1024 * 1024

/** Throws StatusError when it is too large, or is not what its Content-Encoding says. */
export async function readBody(request: Request): Promise<Uint8Array> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > mostBodyBytes) throw new StatusError(tooLarge(`limit is ${mostBodyBytes}`))
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > mostBodyBytes) throw new StatusError(tooLarge(`limit is ${mostBodyBytes}`))
    chunks.push(chunk)
  }
  const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  return request.headers['content-encoding'] === 'gzip' ? unzip(body) : body
}

function unzip(body: Uint8Array): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: mostBodyBytes })
  } catch (error) {
    const isLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
    throw new StatusError(isLarge ? tooLarge(`limit is ${mostBodyBytes}`) : badRequest('gzip: invalid header'))
  }
}
