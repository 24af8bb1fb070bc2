// effect: the DNS server as a process
import { createHash, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Client } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { assembleServer } from '#dns/assemble.ts'
import { readCorefile, type ServerConfig } from '#dns/corefile/config.ts'
import { createLoopCheck } from '#dns/loop.ts'
import { createDnsMetrics, type DnsMetrics } from '#dns/metrics.ts'
import { observeObjects } from '#dns/objects.ts'
import { createResolver, type Server } from '#dns/resolver.ts'
import { Batches } from '#dns/serve/batches.ts'
import { Pages } from '#dns/serve/http.ts'
import { createResponder, type OnAnswer, type Responder } from '#dns/serve/responder.ts'
import { serveTcp } from '#dns/serve/tcp.ts'
import { serveUdp } from '#dns/serve/udp.ts'
import { recordTypes, typeName } from '#dns/wire/record.ts'
import { Zone } from '#dns/zone.ts'

export type DnsOptions = {
  /** a file; it is followed where the Corefile has `reload` */
  readonly corefile: string
  /** asked for when the Corefile has `kubernetes` */
  readonly client: () => Client
  /** where nothing is said by `bind` */
  readonly address: string
  /** threads of their own that answer UDP by batches; 0: the main thread answers */
  readonly threads: number
}

/** Answers DNS as the Corefile says, until the signal aborts (and the lameduck time is over). */
export async function run(options: DnsOptions, context: PartContext): Promise<void> {
  const { log, clock, signal } = context
  const metrics = createDnsMetrics(context.registry)
  const ended = new AbortController()
  const stop = (reason?: unknown) => ended.abort(reason)
  let text = readText(options.corefile)
  const servers = readServers(options.corefile, text)
  const zone = new Zone()
  await using pages = new Pages()
  await using batches = new Batches(zone, metrics)
  const responders = new Map<number, Responder>()
  let generation = new AbortController()

  const use = (configs: readonly ServerConfig[]) => {
    const previous = generation
    generation = new AbortController()
    const localIps = ownAddresses()
    const assembled = configs.map((config) =>
      assembleServer(config, { clock, log, metrics, localIps, signal: generation.signal, zoneFor: () => zone }),
    )
    for (const port of new Set(configs.map((config) => config.port)))
      responders.set(
        port,
        responderFor(
          port,
          assembled.filter((server) => server.config.port === port),
          { log, metrics, stop },
        ),
      )
    batches.use(assembled)
    previous.abort()
  }
  use(servers)

  await addPages(pages, servers, zone, batches, context)
  const sockets = new Set<string>()
  for (const config of servers) {
    for (const address of config.bind.length > 0 ? config.bind : [options.address]) {
      if (sockets.has(`${address} ${config.port}`)) continue
      sockets.add(`${address} ${config.port}`)
      // The socket outlives a reload; what it answers with is looked up for each query.
      const current: Responder = {
        respond: (...args) => responders.get(config.port)!.respond(...args),
        forget: (keys) => responders.get(config.port)!.forget(keys),
      }
      const at = { address, port: config.port, signal: ended.signal }
      if (options.threads > 0) await batches.serve(current, { address, port: config.port, threads: options.threads })
      else serveUdp(current, at)
      await serveTcp(current, at)
      log.info(`Listening on ${address}:${config.port}, udp and tcp`)
    }
  }
  // After the sockets: the threads behind them must see every change.
  const kubernetes = servers.find((server) => server.kubernetes !== undefined)?.kubernetes
  if (kubernetes === undefined) zone.synced = true
  else
    observeObjects(options.client(), {
      pods: kubernetes.pods === 'verified',
      labels: kubernetes.labels,
      signal: ended.signal,
      log,
      onChange(change) {
        zone.serial = Math.floor(clock.now() / 1000)
        const touched = zone.apply(change)
        for (const responder of responders.values()) responder.forget(touched)
        batches.change(change)
      },
      onSync() {
        zone.synced = true
        batches.changed()
        log.info('Synced with the API server')
      },
    })
  followReload()
  await aborted(AbortSignal.any([signal, ended.signal]))
  const lameduckMs = ended.signal.aborted ? 0 : Math.max(0, ...servers.map((server) => server.health?.lameduckMs ?? 0))
  await clock.sleep(lameduckMs)
  const failure: unknown = ended.signal.reason
  generation.abort()
  stop()
  if (failure instanceof UserError) throw failure

  function followReload(): void {
    const reload = servers.find((server) => server.reload !== undefined)?.reload
    if (reload === undefined) return
    const digest = (content: string) => createHash('sha512').update(content).digest('hex')
    clock.after(reload.intervalMs + randomInt(0, reload.jitterMs + 1), () => {
      if (signal.aborted) return
      try {
        const next = readText(options.corefile)
        if (digest(next) !== digest(text)) {
          text = next
          const configs = readServers(options.corefile, next)
          checkSameSockets(servers, configs)
          use(configs)
          log.info('Reloading complete')
        }
      } catch (error) {
        metrics.reloaded(false)
        log.error(`Corefile is not used: ${(error as Error).message}`)
      }
      followReload()
    })
  }
}

function responderFor(
  port: number,
  servers: readonly Server[],
  o: { readonly log: PartContext['log']; readonly metrics: DnsMetrics; stop(reason: UserError): void },
): Responder {
  const token = String(randomInt(2 ** 47))
  const loops = servers
    .filter((server) => server.config.loop && server.forwards.length > 0)
    .map((server) => ({ server, check: createLoopCheck(token, server.config.zones[0]!) }))
  for (const { server, check } of loops) void server.forwards[0]!.forward(check.name, recordTypes.HINFO, {})
  const label = `dns://:${port}`
  const logged = servers.some((server) => server.config.log)
  const count = o.metrics.answersOf(label)
  const onAnswer: OnAnswer = (asked, query, rcode, bytes, took) => {
    count(asked, query, rcode, bytes, took)
    if (logged) o.log.info(logLine(asked, query, rcode, bytes, took))
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
  }
  return createResponder(createResolver(servers), onAnswer)
}

const logLine = (...[asked, query, rcode, bytes, took]: Parameters<OnAnswer>) =>
  `${asked.client} "${query === undefined ? '?' : `${typeName(query.type)} IN ${query.name}.`} ${asked.transport}" ${rcode} ${bytes} ${(took / 1000).toFixed(6)}s`

async function addPages(
  pages: Pages,
  servers: readonly ServerConfig[],
  zone: Zone,
  batches: Batches,
  context: PartContext,
): Promise<void> {
  for (const { health, ready, metrics } of servers) {
    const ok = () => ({ status: 200, body: 'OK' })
    const isReady = () => (zone.synced ? ok() : { status: 503, body: 'kubernetes' })
    // CoreDNS's paths, and those that every process of Kubernetes has.
    for (const path of ['/health', '/healthz', '/livez']) if (health) await pages.add(health, path, ok)
    for (const path of ['/ready', '/readyz']) if (ready) await pages.add(ready, path, isReady)
    if (metrics)
      await pages.add(metrics, '/metrics', () => {
        batches.count()
        return { status: 200, body: context.registry.render(), type: 'text/plain; version=0.0.4; charset=utf-8' }
      })
  }
}

function readServers(path: string, text: string): readonly ServerConfig[] {
  const read = readCorefile(text, process.env as Record<string, string>)
  if ('servers' in read) return read.servers
  throw new UserError(`${path}:${read.error.line}: ${read.error.message}`, {
    code: 'BadCorefile',
    remedy: 'mend that line and start again',
  })
}

/** A reload changes answers, not sockets: those need a restart. */
function checkSameSockets(before: readonly ServerConfig[], after: readonly ServerConfig[]): void {
  const sockets = (servers: readonly ServerConfig[]) =>
    JSON.stringify(
      servers.map(({ port, bind, health, ready, metrics, kubernetes }) => [
        port,
        bind,
        health,
        ready,
        metrics,
        kubernetes?.pods,
        kubernetes?.labels,
      ]),
    )
  if (sockets(before) !== sockets(after))
    throw new UserError('ports, addresses and what is watched change only with a restart', { code: 'NeedsRestart' })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read the Corefile ${path}: ${(cause as Error).message}`, {
      code: 'NoCorefile',
      remedy: 'name one with --conf FILE',
      cause,
    })
  }
}

const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter((entry) => !entry.internal).map((entry) => entry.address),
  )

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
