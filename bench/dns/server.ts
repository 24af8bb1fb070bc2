// `fairway dns` for the benchmark, which bundles this file as published packages are:
//   server.mjs COREFILE API_URL THREADS
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#dns/main.ts'

const [corefile = '', server = '', threads = '0'] = process.argv.slice(2)
const ended = new AbortController()
process.once('SIGTERM', () => ended.abort())
const log = createLogger({ format: 'text', level: 0, write: (line) => void process.stderr.write(line) })
const context = { signal: ended.signal, log, clock: systemClock, registry: createRegistry() }
const options = { corefile, client: () => connect({ server }), address: '127.0.0.1', threads: Number(threads) }
await run(options, context)
process.exit(0)
