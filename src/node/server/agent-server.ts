// effect: an HTTPS server
// What a kubelet serves on port 10250, to the API server and to administrators, who show a client certificate: logs, exec,
// attach, the pods of the node, figures.
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

/** Throws a UserError where the port is taken. */
export async function serveAgent(options: AgentServerOptions): Promise<{ readonly port: number }> {
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
  return { port: (server.address() as AddressInfo).port }
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
      return send(
        response,
        400,
        `${what} needs a WebSocket with the subprotocol v5.channel.k8s.io or v4.channel.k8s.io`,
      )
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
  const { runtime } = options
  const isSpdy = request.headers.upgrade?.toLowerCase() !== 'websocket'
  if ((what !== 'exec' && what !== 'attach') || isSpdy)
    return refuseUpgrade(socket, isSpdy ? 403 : 404, `${what} is offered over WebSocket only (kubectl 1.30 or later)`)
  const pod = findPod(options, namespace, name)
  const newest = pod && newestOf(viewPod(pod.metadata.uid, [], runtime.listContainers()), container)
  if (newest?.state !== 'running')
    return refuseUpgrade(
      socket,
      400,
      `container ${JSON.stringify(container)} of pod ${JSON.stringify(name)} is not running`,
    )
  const { parseSession, serveSession } = await import('#node/server/exec.ts')
  const session = parseSession(url.searchParams)
  const command = url.searchParams.getAll('command')
  if (what === 'exec')
    return serveSession(request, socket, head, session, (streams, signal) =>
      runtime.exec(newest.id, command, { tty: session.tty, streams, signal }),
    )
  return serveSession(request, socket, head, session, async (streams, signal) => {
    await runtime.attach(newest.id, { streams, signal })
    return 0
  })
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
