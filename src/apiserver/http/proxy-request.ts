// Requests to the /proxy of an object: what they ask of whom. The name in the path may say a port and a scheme: `web`,
// `web:80`, `https:web:443`.

import { quote } from '#api/go-text.ts'
import { badRequest, invalid, noSuchResource, StatusError } from '#api/status.ts'
import type { Engine } from '#apiserver/engine/engine.ts'
import type { Served } from '#apiserver/engine/served.ts'
import type { Answer, ApiRequest } from '#apiserver/http/answer.ts'
import { findObject } from '#apiserver/http/read.ts'

export type ProxyName = { readonly scheme: 'http' | 'https'; readonly name: string; readonly port: string }

/** Undefined: no such form. */
export function parseProxyName(text: string): ProxyName | undefined {
  const parts = text.split(':')
  const [scheme, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts]
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme!)) return undefined
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port }
}

/** The path of a request as it came: up to and with /proxy, and what follows. */
const proxyPath = /^((?:\/+[^/]+){2}(?:\/+namespaces\/+[^/]+)?(?:\/+[^/]+){2}\/+proxy)(\/.*)?$/

type ProxyTarget = { readonly namespace: string; readonly asked: string }

export async function answerProxy(
  engine: Engine,
  request: ApiRequest,
  served: Served,
  { namespace, asked }: ProxyTarget,
): Promise<Answer> {
  const [, prefix, path] = proxyPath.exec(request.path) ?? []
  if (prefix === undefined) throw new StatusError(noSuchResource())
  const query = request.queryText === '' ? '' : `?${request.queryText}`
  // Links of a page are relative to its folder, so it needs one.
  if (path === undefined && request.header('upgrade') === undefined) return moved(`${request.path}/${query}`)
  const parsed = parseProxyName(asked)
  if (parsed === undefined) throw new StatusError(badRequest(`invalid ${served.kind.singular} request ${quote(asked)}`))
  const { object } = await findObject(served, namespace, parsed.name)
  const context = engine.context('connect', { user: request.user, namespace, name: asked, dryRun: false })
  const found = await served.kind.proxy?.({ object, scheme: parsed.scheme, port: parsed.port, context })
  if (found === undefined) throw new StatusError(noSuchResource())
  if (found.kind === 'status') throw new StatusError(found.status)
  if (found.kind === 'invalid') throw new StatusError(invalid(served.resource, parsed.name, found.errors))
  return { kind: 'proxy', backend: found.backend, pathAndQuery: `${path ?? '/'}${query}`, prefix }
}

const moved = (location: string): Answer => ({
  kind: 'bytes',
  code: 301,
  contentType: 'text/plain; charset=utf-8',
  parts: [],
  headers: { location },
})
