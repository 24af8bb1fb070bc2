// effect: HTTP/2 requests to pods
// The gRPC health check (grpc.health.v1.Health/Check): a message with the service's name, an answer with one number.
import { connect, constants } from 'node:http2'
import { utf8, concat } from '#lib/bytes.ts'
import { explainDial, hostPort } from '#node/probe/target.ts'

export type GrpcAnswer = { readonly ok: boolean; readonly message: string }

const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** Asks once. */
export function checkGrpc(host: string, port: number, service: string, timeoutMs: number): Promise<GrpcAnswer> {
  return new Promise((resolve) => {
    const session = connect(`http://${hostPort(host, port)}`)
    const end = (ok: boolean, message: string) => {
      clearTimeout(timer)
      session.destroy()
      resolve({ ok, message })
    }
    const late = `timeout: failed to connect service "${hostPort(host, port)}" within ${timeoutMs / 1000}s: context deadline exceeded`
    const timer = setTimeout(() => end(false, late), timeoutMs)
    session.on('error', (error: NodeJS.ErrnoException) => end(false, `error: ${explainDial(host, port, error.code)}`))
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const parts: Buffer[] = []
    let code = ''
    const note = (headers: Record<string, unknown>) => (code = String(headers['grpc-status'] ?? code))
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('data', (part: Buffer) => parts.push(part))
    // Where the connection itself failed, the session says so right after.
    stream.on('error', (error) => setImmediate(() => end(false, error.message)))
    stream.on('end', () => {
      if (code !== '0')
        return end(false, `error: this server does not implement the grpc health protocol (code ${code})`)
      const status = decodeStatus(Buffer.concat(parts))
      return end(
        status === 1,
        status === 1 ? '' : `service unhealthy (responded with "${statusNames[status] ?? status}")`,
      )
    })
    stream.end(encodeRequest(service))
  })
}

/** A frame (no compression, length) with the protobuf message { string service = 1 }. */
function encodeRequest(service: string): Uint8Array {
  const name = utf8(service)
  const message = name.length === 0 ? new Uint8Array() : concat(Uint8Array.of(0x0a, name.length), name)
  return concat(Uint8Array.of(0, 0, 0, 0, message.length), message)
}

/** { ServingStatus status = 1 }: one varint below 128, or nothing for 0. */
const decodeStatus = (frame: Uint8Array) => (frame[5] === 0x08 ? (frame[6] ?? 0) : 0)
