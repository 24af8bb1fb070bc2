// effect: an HTTPS server
// What a kubelet serves on port 10250, to the API server and to administrators, who show a client certificate: logs, exec,
// attach, port-forward, the pods of the node, figures.
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { messageOf } from '#daemon/error.ts'
import { listenError } from '#daemon/health.ts'
import type { Registry } from '#daemon/metrics.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { klogParser } from '#node/logs/klog-line.ts'
import { parseLogQuery, type LogQuery } from '#node/logs/query.ts'
import { readLog, type ParseLine } from '#node/logs/read-log.ts'
import type { NodePart } from '#node/mirror/mirror-pod.ts'
import { newestOf, viewPod } from '#node/pod/view.ts'
import { findLog } from '#node/server/log-target.ts'
import { parseSession, type Connected, type Session } from '#node/server/session.ts'
import { acceptSpdy, chooseProtocol } from '#node/server/spdy/upgrade.ts'

export type AgentServerOptions = AgentContext & {
  readonly registry: Registry
  readonly signal: AbortSignal
  readonly address: string
  /** 0 takes a free one */
  readonly port: number
  readonly cert: string
  readonly key: string
  /** authority of client certificates */
  readonly clientCa: string
  readonly partOf: (namespace: string, name: string) => NodePart | undefined
}

export type AgentServer = {
  readonly port: number
  /** From the next connection on. */
  useCertificate(pair: { readonly cert: string; readonly key: string }): void
}

/** Throws a UserError where the port is taken. */
export async function serveAgent(options: AgentServerOptions): Promise<AgentServer> {
  const { cert, key, clientCa, address, port, signal, log } = options
  const server = createServer({ cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: false })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(options, request, response).catch((error: unknown) => {
      log.error('request failed', { path: request.url, err: messageOf(error) })
      if (response.headersSent) response.destroy()
      else send(response, 500, messageOf(error))
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    upgrade(options, request, socket, head).catch((error: unknown) => refuseUpgrade(socket, 500, messageOf(error)))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, { address, port })))
    server.listen(port, address, resolve)
  })
  signal.addEventListener(
    'abort',
    () => {
      server.close()
      server.closeAllConnections()
    },
    { once: true },
  )
  return {
    port: (server.address() as AddressInfo).port,
    useCertificate: (pair) => server.setSecureContext({ ...pair, ca: clientCa }),
  }
}

/** The status that refuses the client, or undefined: administrators and the API server may do everything. */
function refusal(request: IncomingMessage): 401 | 403 | undefined {
  const socket = request.socket as TLSSocket
  if (!socket.authorized) return 401
  const { O: groups = [], CN: name } = socket.getPeerCertificate().subject as { O?: string | string[]; CN?: string }
  return name === 'kube-apiserver-kubelet-client' || [groups].flat().includes('system:masters') ? undefined : 403
}

const texts = { 401: 'Unauthorized', 403: 'Forbidden' } as const

async function answer(options: AgentServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refused = refusal(request)
  if (refused !== undefined) return send(response, refused, texts[refused])
  const url = new URL(request.url ?? '/', 'https://node')
  const [, what = '', ...path] = url.pathname.split('/').map(decodeURIComponent)
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'method not allowed')
  switch (what) {
    case 'healthz':
      return send(response, 200, 'ok')
    case 'metrics':
      return send(response, 200, options.registry.render(), 'text/plain; version=0.0.4; charset=utf-8')
    case 'pods':
      return send(response, 200, JSON.stringify(podList(options)), 'application/json')
    case 'stats':
      return send(response, 200, JSON.stringify(summary(options)), 'application/json')
    case 'containerLogs':
      return sendLog(options, path, url.searchParams, response)
    case 'exec':
    case 'attach':
    case 'portForward':
      return send(response, 400, 'Upgrade request required')
    default:
      return send(response, 404, '404 page not found')
  }
}

function podList({ pods, publishedStatus }: AgentServerOptions): object {
  const items = [...pods.values()].map((pod) => ({ ...pod, status: publishedStatus(pod.metadata.uid) ?? pod.status }))
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items }
}

/** As much of kubelet's summary as is known without control groups. */
function summary({ nodeName, clock, runtime, pods }: AgentServerOptions): object {
  const time = new Date(clock.now()).toISOString()
  return {
    node: { nodeName, startTime: time },
    pods: [...pods.values()].map(({ metadata: { name, namespace, uid } }) => ({
      podRef: { name, namespace, uid },
      startTime: time,
      containers: viewPod(uid, [], runtime.listContainers()).containers.flatMap(({ metadata, state, startedAt }) =>
        state === 'running' ? [{ name: metadata.name, startTime: new Date(startedAt ?? 0).toISOString() }] : [],
      ),
    })),
  }
}

const findPod = ({ pods }: AgentServerOptions, namespace: string, name: string): StoredPod | undefined =>
  [...pods.values()].find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)

async function sendLog(
  options: AgentServerOptions,
  [namespace = '', name = '', container = '']: readonly string[],
  search: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const { clock, runtime, publishedStatus } = options
  const parsed = parseLogQuery(search, clock.now())
  if (parsed.kind === 'invalid') return send(response, 400, parsed.message)
  const part = options.partOf(namespace, name)
  if (part)
    return stream(options, part.logPath, parsed.query, response, {
      parse: klogParser(() => clock.now()),
      isLive: () => true,
    })
  const pod = findPod(options, namespace, name)
  if (pod === undefined) return send(response, 404, `pod ${JSON.stringify(name)} not found`)
  const { uid } = pod.metadata
  const view = viewPod(uid, runtime.listPodSandboxes(), runtime.listContainers())
  const found = findLog(pod, publishedStatus(uid), view, container, parsed.query.previous)
  if (found.kind === 'refused') return send(response, found.httpStatus, found.message)
  const isLive = () => runtime.containerStatus(found.container.id)?.state === 'running'
  await stream(options, found.container.logPath, parsed.query, response, { isLive })
}

async function stream(
  { runtime }: AgentServerOptions,
  path: string,
  query: LogQuery,
  response: ServerResponse,
  o: { readonly parse?: ParseLine; readonly isLive: () => boolean },
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.flushHeaders()
  const onLiveChange = (listener: () => void) => runtime.onChange(listener)
  for await (const piece of readLog(path, { ...o, query, signal: gone.signal, onLiveChange }))
    if (!response.write(piece)) await new Promise<void>((resolve) => drained(response, resolve))
  response.end()
}

function drained(response: ServerResponse, done: () => void): void {
  const end = () => {
    response.off('drain', end)
    response.off('close', end)
    done()
  }
  response.once('drain', end)
  response.once('close', end)
}

async function upgrade(
  options: AgentServerOptions,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const refused = refusal(request)
  if (refused !== undefined) return refuseUpgrade(socket, refused, texts[refused])
  const url = new URL(request.url ?? '/', 'https://node')
  const [, what = '', namespace = '', name = '', container = ''] = url.pathname.split('/').map(decodeURIComponent)
  const pod = findPod(options, namespace, name)
  if (pod === undefined) return refuseUpgrade(socket, 404, `pod ${JSON.stringify(name)} not found`)
  if (what === 'portForward') return upgradeForward(options, pod, url.searchParams, { request, socket, head })
  if (what !== 'exec' && what !== 'attach') return refuseUpgrade(socket, 404, '404 page not found')
  return upgradeSession(options, pod, container, url.searchParams, { request, socket, head, what })
}

type Upgrade = { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }

const isWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket'

async function upgradeSession(
  { runtime }: AgentServerOptions,
  pod: StoredPod,
  container: string,
  query: URLSearchParams,
  { request, socket, head, what }: Upgrade & { readonly what: 'exec' | 'attach' },
): Promise<void> {
  const { uid, name } = pod.metadata
  const newest = newestOf(viewPod(uid, [], runtime.listContainers()), container)
  if (newest?.state !== 'running') {
    const which = `container ${JSON.stringify(container)} of pod ${JSON.stringify(name)}`
    return refuseUpgrade(socket, 400, `${which} is not running`)
  }
  const session = parseSession(query)
  const client = await connectSession(session, { request, socket, head })
  if (client === undefined) return
  const { streams, signal } = client
  const act =
    what === 'exec'
      ? runtime.exec(newest.id, query.getAll('command'), { tty: session.tty, streams, signal })
      : runtime.attach(newest.id, { streams, signal }).then(() => 0)
  const outcome = await act.then(
    (exitCode) => ({ kind: 'exited', exitCode }) as const,
    (error: unknown) => ({ kind: 'failed', message: messageOf(error) }) as const,
  )
  await client.end(outcome)
}

/** Undefined: the client was told why not. */
async function connectSession(session: Session, { request, socket, head }: Upgrade): Promise<Connected | undefined> {
  if (isWebSocket(request)) {
    const { connectWebSocket } = await import('#node/server/websocket-session.ts')
    return connectWebSocket(request, socket, head, session)
  }
  const { connectSpdy, sessionProtocols } = await import('#node/server/spdy-session.ts')
  const protocol = startSpdy(request, socket, sessionProtocols)
  if (protocol === undefined) return undefined
  return connectSpdy(socket, head, session, protocol).catch(() => undefined)
}

async function upgradeForward(
  { runtime }: AgentServerOptions,
  pod: StoredPod,
  query: URLSearchParams,
  { request, socket, head }: Upgrade,
): Promise<void> {
  const { uid, name } = pod.metadata
  const sandbox = runtime.listPodSandboxes().find(({ metadata, state }) => metadata.uid === uid && state === 'ready')
  if (sandbox === undefined) return refuseUpgrade(socket, 400, `pod ${JSON.stringify(name)} is not running`)
  const dial = (port: number) => runtime.portForward(sandbox.id, port)
  const { forwardProtocol, forwardSpdy, forwardWebSocket, parsePorts } = await import('#node/server/port-forward.ts')
  if (isWebSocket(request)) return forwardWebSocket(request, socket, head, parsePorts(query), dial)
  if (startSpdy(request, socket, [forwardProtocol]) !== undefined) forwardSpdy(socket, head, dial)
}

/** Undefined: the client speaks nothing that is spoken here, and was told so. */
function startSpdy<T extends string>(request: IncomingMessage, socket: Duplex, spoken: readonly T[]): T | undefined {
  const protocol = chooseProtocol(request, spoken)
  if (protocol === undefined) refuseUpgrade(socket, 403, `unable to upgrade: the protocols are ${spoken.join(', ')}`)
  else acceptSpdy(socket, protocol)
  return protocol
}

function refuseUpgrade(socket: Duplex, status: number, message: string): void {
  const body = Buffer.from(`${message}\n`)
  socket.end(
    `HTTP/1.1 ${status} ${texts[status as 401] ?? 'Error'}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${message}\n`,
  )
}

function send(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length }).end(bytes)
}
