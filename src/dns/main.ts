// effect: the DNS server as a process
import { randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import type { Client } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { assembleServer } from '#dns/assemble.ts'
import type { ServerConfig } from '#dns/corefile/config.ts'
import { readCorefileText, readServers } from '#dns/corefile/read-file.ts'
import { Listeners } from '#dns/listeners.ts'
import { createDnsMetrics } from '#dns/metrics.ts'
import { respondersOf } from '#dns/port-responder.ts'
import type { Server } from '#dns/resolver.ts'
import { Batches } from '#dns/serve/batches.ts'
import { Pages, type PageAt } from '#dns/serve/http.ts'
import type { Responder } from '#dns/serve/responder.ts'
import { isSameView, openView, programmedBy, watchedBy, type Kubeconfig, type View } from '#dns/view.ts'

export type DnsOptions = {
  /** a file; it is followed where the Corefile has `reload` */
  readonly corefile: string
  /** asked for when the Corefile has `kubernetes`, with what its `kubeconfig` says */
  client(kubeconfig: Kubeconfig | undefined): Client
  /** where nothing is said by `bind` */
  readonly address: string
  /** addresses that this server brings along, and answers on instead of `address`: node-local.ts */
  readonly nodeLocal?: readonly string[]
  /** threads of their own that answer UDP by batches, each with all names in memory; 0: the main thread answers */
  readonly threads: number
}

/** Answers DNS as the Corefile says, until the signal aborts (and the lameduck time is over). */
export async function run(options: DnsOptions, context: PartContext): Promise<void> {
  const { log, clock, signal } = context
  const metrics = createDnsMetrics(context.registry)
  const ended = new AbortController()
  const stop = (reason?: unknown) => ended.abort(reason)
  await using pages = new Pages()
  const { nodeLocal = [], threads } = options
  const addresses = nodeLocal.length > 0 ? nodeLocal : [options.address]
  await using batches = new Batches(metrics, addresses)
  await using listeners = new Listeners({
    addresses,
    threads,
    batches,
    log,
    responderOf: (address, port) => responders.get(`${address} ${port}`)!,
  })
  let responders: ReadonlyMap<string, Responder> = new Map()
  let now: readonly Server[] = []
  let generation = new AbortController()
  let view: View | undefined
  let text = readCorefileText(options.corefile)
  let servers = readServers(options.corefile, text)
  // Released after the sockets on them are closed.
  using _held = nodeLocal.length > 0 ? await hold(nodeLocal, servers) : undefined
  try {
    await use(servers)
    followReload()
    await aborted(AbortSignal.any([signal, ended.signal]))
    const lameduckMs = Math.max(0, ...servers.map((server) => server.health?.lameduckMs ?? 0))
    if (!ended.signal.aborted) await clock.sleep(lameduckMs)
  } finally {
    generation.abort()
    view?.close()
  }
  const failure: unknown = ended.signal.reason
  stop()
  if (failure instanceof UserError) throw failure

  /** Everything as these blocks want it; where something cannot be, it throws and all is as it was. */
  async function use(configs: readonly ServerConfig[]): Promise<void> {
    const watched = watchedBy(configs)
    const next =
      view !== undefined && isSameView(view.watched, watched)
        ? view
        : openView(watched, { ...context, client: options.client, onChange })
    const nextGeneration = new AbortController()
    const isStart = view === undefined
    if (isStart) view = next
    try {
      if (isStart) await pages.use(pagesOf(configs))
      if (!(await isSyncedInTime(next)) && !isStart)
        throw new UserError('the API server does not answer', { code: 'NotSynced' })
      if (signal.aborted) return
      const localIps = ownAddresses()
      const assembled = configs.map((config) =>
        assembleServer(config, { clock, log, metrics, localIps, signal: nextGeneration.signal, zone: next.zone }),
      )
      const previous = { responders, assembled: now, view, generation }
      responders = respondersOf(assembled, addresses, { log, metrics, stop })
      batches.use(assembled, next.zone)
      try {
        await pages.use(pagesOf(configs))
        await listeners.use(configs)
      } catch (error) {
        responders = previous.responders
        batches.use(previous.assembled, previous.view?.zone ?? next.zone)
        await pages.use(pagesOf(servers))
        throw error
      }
      now = assembled
      metrics.configured(
        assembled.map(({ config, forwards }) => ({
          server: `dns://:${config.port}`,
          config,
          caches: forwards.flatMap(({ forward }) => (forward.sizes === undefined ? [] : [forward.sizes])),
        })),
      )
      generation = nextGeneration
      view = next
      servers = configs
      previous.generation.abort()
      if (previous.view !== next) previous.view?.close()
    } catch (error) {
      nextGeneration.abort()
      if (next !== view) next.close()
      throw error
    }
  }

  async function isSyncedInTime({ synced, watched }: View): Promise<boolean> {
    const waiting = new AbortController()
    const late = clock.sleep(watched?.startupTimeoutMs ?? 0, AbortSignal.any([signal, waiting.signal]))
    const isSynced = await Promise.race([synced.then(() => true), late.then(() => false)])
    waiting.abort()
    return isSynced
  }

  function onChange(...[zone, change, touched]: Parameters<Parameters<typeof openView>[1]['onChange']>): void {
    if (zone !== view?.zone) return
    const programmed = change === undefined ? undefined : programmedBy(zone, change, clock.now())
    if (programmed !== undefined) metrics.programmed(programmed.service, programmed.tookMs)
    for (const responder of new Set(responders.values())) responder.forget(touched)
    batches.change(change)
  }

  function pagesOf(configs: readonly ServerConfig[]): readonly PageAt[] {
    const ok = () => ({ status: 200, body: 'OK' })
    // Who stops is not ready: no new clients come while those that there are still get answers.
    const isReady = () => (view?.zone.synced && !signal.aborted ? ok() : { status: 503, body: 'kubernetes' })
    const type = 'text/plain; version=0.0.4; charset=utf-8'
    const figures = () => {
      batches.count()
      return { status: 200, body: context.registry.render(), type }
    }
    // CoreDNS's paths, and those that every process of Kubernetes has.
    return configs.flatMap(({ health, ready, metrics: at }) => [
      ...(health ? ['/health', '/healthz', '/livez'].map((path) => ({ at: health, path, page: ok })) : []),
      ...(ready ? ['/ready', '/readyz'].map((path) => ({ at: ready, path, page: isReady })) : []),
      ...(at ? [{ at, path: '/metrics', page: figures }] : []),
    ])
  }

  function followReload(): void {
    const reload = servers.find((server) => server.reload !== undefined)?.reload
    if (reload === undefined) return
    clock.after(reload.intervalMs + randomInt(0, reload.jitterMs + 1), async () => {
      if (signal.aborted) return
      try {
        const next = readCorefileText(options.corefile)
        if (next !== text) {
          text = next
          await use(readServers(options.corefile, next))
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

/** What changes links and rules is loaded only where it is asked to: 2 MB less for all others. */
async function hold(addresses: readonly string[], servers: readonly ServerConfig[]): Promise<Disposable> {
  const { holdNodeLocal } = await import('#dns/node-local.ts')
  return holdNodeLocal(addresses, [...new Set(servers.map(({ port }) => port))])
}

const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter((entry) => !entry.internal).map((entry) => entry.address),
  )

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
