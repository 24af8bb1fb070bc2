// effect: asks upstreams whether they lead back here; randomness
import { randomInt } from 'node:crypto'
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { listensOn, type LogConfig } from '#dns/corefile/config.ts'
import { createLoopCheck } from '#dns/loop.ts'
import type { DnsMetrics } from '#dns/metrics.ts'
import { createResolver, type Server } from '#dns/resolver.ts'
import { createResponder, type OnAnswer, type Responder } from '#dns/serve/responder.ts'
import { isWithin } from '#dns/wire/name.ts'
import { rcodes } from '#dns/wire/message.ts'
import { recordTypes, typeName } from '#dns/wire/record.ts'

type Context = { readonly log: Logger; readonly metrics: DnsMetrics; stop(reason: UserError): void }

/** What answers on each `ADDRESS PORT`; one for all addresses of a port where the same blocks listen. */
export function respondersOf(
  servers: readonly Server[],
  addresses: readonly string[],
  o: Context,
): ReadonlyMap<string, Responder> {
  const places = new Set(
    servers.flatMap(({ config }) => listensOn(config, addresses).map((address) => `${address} ${config.port}`)),
  )
  const made = new Map<string, Responder>()
  return new Map(
    [...places].map((place) => {
      const [address = '', port] = place.split(' ')
      const isHere = ({ config }: Server) =>
        config.port === Number(port) && listensOn(config, addresses).includes(address)
      const key = servers.flatMap((server, index) => (isHere(server) ? [index] : [])).join()
      const responder = made.get(key) ?? createPortResponder(Number(port), servers.filter(isHere), o)
      made.set(key, responder)
      return [place, responder]
    }),
  )
}

/** What answers on one port by these server blocks, with their log, metrics and loop detection. */
function createPortResponder(port: number, servers: readonly Server[], o: Context): Responder {
  const token = String(randomInt(2 ** 47))
  const loops = servers
    .filter((server) => server.config.loop && server.forwards.length > 0)
    .map((server) => ({ server, check: createLoopCheck(token, server.config.zones[0]!) }))
  for (const { server, check } of loops) void server.forwards[0]!.forward.ask(check.name, recordTypes.HINFO, {})
  const logs = servers.flatMap((server) => server.config.log)
  const count = o.metrics.answersOf(
    `dns://:${port}`,
    servers.map(({ config }) => config),
  )
  return createResponder(createResolver(servers), (...answered) => {
    count(...answered)
    const [, query] = answered
    if (isLogged(logs, ...answered)) o.log.info(logLine(...answered))
    if (query !== undefined && loops.some(({ check }) => check.saw(query)))
      o.stop(
        new UserError(
          `forwarding loop: the upstream of zone "${query.name.split('.').slice(2).join('.')}." is this server itself`,
          {
            code: 'ForwardingLoop',
            remedy: 'name another upstream in the Corefile, or a resolv.conf that does not lead back here',
          },
        ),
      )
  })
}

function isLogged(logs: readonly LogConfig[], ...[, query, answered]: Parameters<OnAnswer>): boolean {
  if (logs.length === 0) return false
  const { rcode, answers } = answered
  const isDenial = rcode === rcodes.NXDOMAIN || (rcode === rcodes.NOERROR && answers === 0)
  const kind = isDenial ? 'denial' : rcode === rcodes.NOERROR ? 'success' : 'error'
  return logs.some(
    ({ zones, classes }) =>
      (classes.includes('all') || classes.includes(kind)) &&
      zones.some((zone) => query === undefined || isWithin(query.name, zone)),
  )
}

const logLine = (...[asked, query, { rcode, bytes, took }]: Parameters<OnAnswer>) =>
  `${asked.client} "${query === undefined ? '?' : `${typeName(query.type)} IN ${query.name}.`} ${asked.transport}" ${rcode} ${bytes} ${(took / 1000).toFixed(6)}s`
