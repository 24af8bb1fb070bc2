// Whom the servers of the benchmark forward to: it knows an address for every name.
//   upstream.ts PORT
import { createResponder } from '#dns/serve/responder.ts'
import { serveUdp } from '#dns/serve/udp.ts'
import { recordTypes } from '#dns/wire/record.ts'

const responder = createResponder((query) => {
  const data = { kind: 'address' as const, bytes: Uint8Array.of(192, 0, 2, 1) }
  const answers =
    query.type === recordTypes.A ? [{ name: query.name, type: query.type, class: 1, ttl: 3600, data }] : []
  return { kind: 'now', zone: '.', reply: { rcode: 0, authoritative: true, answers } }
})
serveUdp(responder, { address: '127.0.0.1', port: Number(process.argv[2]), signal: new AbortController().signal })
