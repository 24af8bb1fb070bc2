// effect: an HTTP server
// What every process answers about itself: /healthz, /livez, /readyz in the form of Kubernetes' components (`?verbose`,
// `/readyz/NAME` for one check, `?exclude=NAME`), and /metrics.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from '#daemon/http.ts'
import type { AddressInfo } from 'node:net'
import { UserError } from '#daemon/error.ts'
import { checkAll, type Check } from '#daemon/health-report.ts'
import type { Registry } from '#daemon/metrics.ts'

export type { Check }
export type Handler = (request: IncomingMessage, response: ServerResponse) => void
export type HealthOptions = {
  readonly address: string
  /** 0 takes a free one */
  readonly port: number
  readonly checks: Readonly<Record<string, Check>>
  /** names of the checks that /livez leaves out: those that say "not yet" and not "broken" */
  readonly notLive?: readonly string[]
  readonly registry: Registry
  readonly signal: AbortSignal
  /** other paths, or own answers for the ones above */
  readonly extra?: Readonly<Record<string, Handler>>
}

/** Serves until the signal is aborted. Throws UserError when the port is taken. */
export async function serveHealth(options: HealthOptions): Promise<{ readonly port: number }> {
  const server = createServer({ keepAliveTimeout: 5000 }, (request, response) => answer(options, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, options)))
    server.listen(options.port, options.address, resolve)
  })
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  if (options.signal.aborted) close()
  options.signal.addEventListener('abort', close, { once: true })
  return { port: (server.address() as AddressInfo).port }
}

/** What to say when a port cannot be listened on. */
export function listenError(
  error: NodeJS.ErrnoException,
  { address, port }: { readonly address: string; readonly port: number },
): UserError {
  const at = `${address.includes(':') ? `[${address}]` : address}:${port}`
  const [why, remedy] =
    error.code === 'EADDRINUSE'
      ? ['another program listens there', `find it with: ss -ltnp 'sport = :${port}'`]
      : error.code === 'EACCES'
        ? ['not allowed', 'ports below 1024 need root']
        : error.code === 'EADDRNOTAVAIL'
          ? ['this machine has no such address', 'see the addresses with: ip address']
          : [error.message, undefined]
  return new UserError(`cannot listen on ${at}: ${why}`, { code: error.code ?? 'ListenFailed', remedy, cause: error })
}

function answer(options: HealthOptions, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const own = options.extra?.[url.pathname]
  if (own !== undefined) return own(request, response)
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'method not allowed\n')
  if (url.pathname === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    return send(response, 200, options.registry.render())
  }
  const [, endpoint = '', name, more] = url.pathname.split('/')
  if (!endpoints.includes(endpoint) || more !== undefined) return send(response, 404, '404 page not found\n')
  const checks = checksOf(options, endpoint)
  if (name !== undefined && name !== '') {
    const check = checks[name]
    if (check === undefined) return send(response, 404, '404 page not found\n')
    const reason = check()
    return reason === undefined ? send(response, 200, 'ok') : send(response, 500, `${reason}\n`)
  }
  const { healthy, report } = checkAll(endpoint, checks, url.searchParams.getAll('exclude'))
  if (healthy && !url.searchParams.has('verbose')) return send(response, 200, 'ok')
  return send(response, healthy ? 200 : 500, report)
}

const endpoints = ['healthz', 'livez', 'readyz']

function checksOf({ checks, notLive = [] }: HealthOptions, endpoint: string): Record<string, Check> {
  const all = { ping: () => undefined, ...checks }
  const isLeftOut = (name: string) => endpoint === 'livez' && notLive.includes(name)
  return Object.fromEntries(Object.entries(all).filter(([name]) => !isLeftOut(name)))
}

function send(response: ServerResponse, status: number, body: string): void {
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.setHeader('x-content-type-options', 'nosniff')
  response.writeHead(status, { 'content-length': new TextEncoder().encode(body).length }).end(body)
}
