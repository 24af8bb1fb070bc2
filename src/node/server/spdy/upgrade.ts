// effect: HTTP upgrades
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** What of the client's protocols is spoken here: the first of its own order. `undefined`: none of them. */
export function chooseProtocol<T extends string>(request: IncomingMessage, spoken: readonly T[]): T | undefined {
  const offered = request.headers['x-stream-protocol-version']
  // A client that names none speaks the oldest.
  if (offered === undefined) return spoken.at(-1)
  const names = [offered].flat().flatMap((text) => text.split(',').map((name) => name.trim()))
  return names.flatMap((name) => spoken.find((one) => one === name) ?? [])[0]
}

/** Tells the client that from here on its connection carries SPDY/3.1. */
export function acceptSpdy(socket: Duplex, protocol: string): void {
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
}
