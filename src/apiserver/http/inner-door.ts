// effect: streams in memory
// The door from within: whoever lives in the server's own process speaks HTTP with it over a pair of streams in memory. No
// TLS, no packets; but the same requests, rights, turns and answers as for everybody else.

import type { RequestListener } from 'node:http'
import { type Duplex, duplexPair } from 'node:stream'
import { vouchFor } from '#apiserver/http/authenticate.ts'
import type { User } from '#apiserver/kind.ts'
import { createServer } from '#daemon/http.ts'

/** Answers the far end of a new connection of that user, in place of dialling. */
export type Dial = (user: User) => Duplex

export function createInnerDoor(onRequest: RequestListener): Dial {
  const server = createServer(onRequest)
  return (user) => {
    const [near, far] = duplexPair()
    // As with sockets: where one end is gone, so is the other.
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    vouchFor(near, user)
    server.emit('connection', near)
    return far
  }
}
