// effect: HTTP/2 sessions
// Connections on which nothing is asked do not stay: as in Go's server one that never says what it is goes soon, one that
// has been served goes after a while. And of all that ask nothing only so many stay, however long they have done so.

import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Clock } from '#daemon/clock.ts'

/** From the handshake of TLS to the client's preface and settings. */
export const prefaceMs = 10_000
/** A client that is told to go has this long to do so. */
const leaveMs = 5000

export type IdleLimits = {
  /** without a request */
  readonly idleMs: number
  /** sessions without a request; the one that has been so for longest makes room */
  readonly mostIdle: number
}

export function endIdleSessions(server: Http2SecureServer, clock: Clock, { idleMs, mostIdle }: IdleLimits): void {
  /** Those without a request, in the order in which they became so. */
  const idle = new Map<ServerHttp2Session, Resting>()
  const wake = (session: ServerHttp2Session) => {
    idle.get(session)?.stay()
    idle.delete(session)
  }
  const rest = (session: ServerHttp2Session, ms: number, end: () => void) => {
    wake(session)
    idle.set(session, { stay: clock.after(ms, end), end })
    const [longest] = idle.values()
    if (idle.size > mostIdle) longest!.end()
  }
  server.on('session', (session) => {
    let requests = 0
    const leave = () => {
      wake(session)
      session.close()
      session.once(
        'close',
        clock.after(leaveMs, () => session.destroy()),
      )
    }
    // One that has not even begun would not hear that it is to go.
    rest(session, prefaceMs, () => session.destroy())
    session.once('remoteSettings', () => {
      if (requests === 0) rest(session, idleMs, leave)
    })
    session.on('stream', (stream) => {
      requests++
      wake(session)
      stream.once('close', () => {
        requests--
        if (requests === 0 && !session.closed && !session.destroyed) rest(session, idleMs, leave)
      })
    })
    session.once('close', () => wake(session))
  })
}

type Resting = {
  /** calls off its end */
  stay(): void
  end(): void
}
