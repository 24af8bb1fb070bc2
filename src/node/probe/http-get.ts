// effect: HTTP requests to pods
import { request as httpRequest } from '#daemon/http.ts'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { explainDial, hostPort, urlOf, type HttpTarget } from '#node/probe/target.ts'

/** `body` is cut at 10 KiB. `failed` says in kubelet's words why there is no answer. */
export type HttpAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly isRedirected: boolean }
  | { readonly kind: 'failed'; readonly message: string }

const mostBody = 10 * 1024
const mostRedirects = 10

/** Asks once, following redirects to the same host; certificates are not checked, as kubelet does not. */
export async function httpGet(target: HttpTarget, timeoutMs: number, signal?: AbortSignal): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([timeout, signal]) : timeout
  let current = target
  for (let redirects = 0; ; redirects++) {
    const answer = await getOnce(current, either)
    if (answer.kind === 'failed') return answer
    const next = answer.location === undefined ? undefined : follow(current, answer.location)
    if (next === undefined) return { ...answer, isRedirected: answer.status >= 300 && answer.status < 400 }
    if (redirects >= mostRedirects)
      return { kind: 'failed', message: `Get ${JSON.stringify(urlOf(current))}: stopped after 10 redirects` }
    current = next
  }
}

type Once =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly location?: string }
  | { readonly kind: 'failed'; readonly message: string }

/** Where a redirect leads, if that is the same host. */
function follow(from: HttpTarget, location: string): HttpTarget | undefined {
  const url = URL.parse(location, urlOf(from))
  if (url === null || url.hostname.replace(/^\[|\]$/g, '') !== from.host) return undefined
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  const port = Number(url.port) || (scheme === 'https' ? 443 : 80)
  return { ...from, scheme, port, path: `${url.pathname}${url.search}` }
}

function getOnce(target: HttpTarget, signal: AbortSignal): Promise<Once> {
  const { scheme, host, port, path, headers } = target
  const send = scheme === 'https' ? httpsRequest : httpRequest
  const hasHost = headers.some(([name]) => name.toLowerCase() === 'host')
  const all = [
    ...(hasHost ? [] : [['Host', hostPort(host, port)] as const]),
    ...headers,
    ['Connection', 'close'] as const,
  ]
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) =>
      resolve({ kind: 'failed', message: `Get ${JSON.stringify(urlOf(target))}: ${explain(error, target, signal)}` })
    const request = send(
      { host, port, path, headers: all.flat(), agent: false, rejectUnauthorized: false, signal },
      (response) => readBody(response).then((body) => resolve(answerOf(response, body)), fail),
    )
    request.on('error', fail)
    request.end()
  })
}

function answerOf(response: IncomingMessage, body: string): Once {
  const { statusCode: status = 0, headers } = response
  const leads = status >= 300 && status < 400 && headers.location !== undefined
  return { kind: 'answer', status, body, ...(leads && { location: headers.location! }) }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length >= mostBody) break
  }
  return Buffer.concat(parts).subarray(0, mostBody).toString()
}

function explain(error: NodeJS.ErrnoException, { host, port }: HttpTarget, signal: AbortSignal): string {
  if (signal.aborted) return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
  if (error.code === 'ECONNRESET' || error.message === 'socket hang up') return 'EOF'
  return error.syscall === 'connect' ? explainDial(host, port, error.code) : error.message
}
