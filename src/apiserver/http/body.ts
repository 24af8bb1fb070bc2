// effect: the body of an HTTP request

import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import type { Clock } from '#daemon/clock.ts'
import { badRequest, StatusError, timeout, tooLarge } from '#api/status.ts'

/** Of HTTP/2 too: its requests do what those of HTTP/1 do. */
export type Request = IncomingMessage

/** Kubernetes' own limit. */
export const mostBodyBytes = 3 * 1024 * 1024

/** Who sends slower keeps memory for nothing. */
const mostBodyMs = 60_000

/** Throws StatusError when it is too large, or is not what its Content-Encoding says. */
export async function readBody(request: Request, clock: Clock): Promise<Uint8Array> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > mostBodyBytes) throw new StatusError(tooLarge(`limit is ${mostBodyBytes}`))
  const body = await collect(request, clock)
  return request.headers['content-encoding'] === 'gzip' ? unzip(body) : body
}

function collect(request: Request, clock: Clock): Promise<Uint8Array> {
  return new Promise<Uint8Array>((resolve, reject) => {
    const cancel = clock.after(mostBodyMs, () => reject(new StatusError(timeout('the body did not come in time'))))
    request.on('close', cancel)
    const chunks: Uint8Array[] = []
    let size = 0
    request.on('data', (chunk: Uint8Array) => {
      size += chunk.length
      // The rest is read and dropped: a client that is still writing would not see the answer.
      if (size > mostBodyBytes) reject(new StatusError(tooLarge(`limit is ${mostBodyBytes}`)))
      else chunks.push(chunk)
    })
    request.on('end', () => {
      cancel()
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
    request.on('error', reject)
    request.on('close', () => reject(new Error('the client went away')))
  })
}

function unzip(body: Uint8Array): Uint8Array {
  try {
    return gunzipSync(body, { maxOutputLength: mostBodyBytes })
  } catch (error) {
    const isLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
    throw new StatusError(isLarge ? tooLarge(`limit is ${mostBodyBytes}`) : badRequest('gzip: invalid header'))
  }
}
