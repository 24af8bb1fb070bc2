// What a request is about, read from its method and URL: the verbs and parts that authorization, metrics and routing
// share (apiserver's endpoints/request/requestinfo.go).

import type { Verb } from '#apiserver/kind.ts'

export type Target =
  | {
      readonly kind: 'resource'
      /** '' of a method that only a /proxy takes (OPTIONS): only a right to everything is one to it */
      readonly verb: Verb | ''
      readonly group: string
      readonly version: string
      readonly plural: string
      /** '' in a request for all namespaces or for a cluster-wide resource */
      readonly namespace: string
      /** '' in a request for a collection */
      readonly name: string
      /** '' for the object itself */
      readonly subresource: string
      /** what follows the subresource: the path of a proxy request */
      readonly rest: string
    }
  | { readonly kind: 'other'; readonly verb: string; readonly path: string }

const verbs: Readonly<Record<string, Verb>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}
/** Subresources of a namespace, which look like resources in it. */
const namespaceSubresources = new Set(['status', 'finalize'])

export function targetOf(method: string, path: string, query: URLSearchParams): Target {
  const other: Target = { kind: 'other', verb: method.toLowerCase(), path }
  const parts = path.split('/').filter((part) => part !== '')
  const isLegacy = parts[0] === 'api'
  if ((!isLegacy && parts[0] !== 'apis') || parts.length < (isLegacy ? 3 : 4)) return other
  const verb = verbs[method] ?? (method === 'OPTIONS' ? '' : undefined)
  if (verb === undefined) return other
  const decoded = decodeAll(parts)
  if (decoded === undefined) return other
  const group = isLegacy ? '' : decoded[1]!
  const version = decoded[isLegacy ? 1 : 2]!
  let rest = decoded.slice(isLegacy ? 2 : 3)
  const isLegacyWatch = rest[0] === 'watch' && rest.length > 1
  if (isLegacyWatch) rest = rest.slice(1)

  let namespace = ''
  if (rest[0] === 'namespaces' && rest.length > 2 && !namespaceSubresources.has(rest[2]!)) {
    namespace = rest[1]!
    rest = rest.slice(2)
  }
  const [plural = '', name = '', subresource = '', ...tail] = rest
  if (verb === '' && subresource !== 'proxy') return other
  // A namespace is in itself, for those who may do something in one namespace only.
  if (plural === 'namespaces' && group === '') namespace = name
  return {
    kind: 'resource',
    verb: isLegacyWatch && verb === 'get' ? 'watch' : collectionVerb(verb, name, isTrue(query.get('watch'))),
    group,
    version,
    plural,
    namespace,
    name: name === '' && verb === 'get' ? nameSelected(query) : name,
    subresource,
    rest: tail.join('/'),
  }
}

/** Whether someone else answers, whatever is asked. */
export const isProxied = (target: Target): boolean => target.kind === 'resource' && target.subresource === 'proxy'

/** A collection is listed or watched, and deleted as a whole; of one object alone `watch` says nothing. */
function collectionVerb(verb: Verb | '', name: string, isWatch: boolean): Verb | '' {
  if (name !== '') return verb
  if (verb === 'get') return isWatch ? 'watch' : 'list'
  return verb === 'delete' ? 'deletecollection' : verb
}

/** `fieldSelector=metadata.name=x` asks for one object, and may be done by who may get that one. */
function nameSelected(query: URLSearchParams): string {
  const match = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '')
  return match?.[1] ?? ''
}

/** A flag of a query: whatever is there and is not an explicit no. */
export const isTrue = (text: string | null): boolean => text !== null && !/^(0|false)$/i.test(text)

function decodeAll(parts: readonly string[]): string[] | undefined {
  try {
    return parts.map((part) => decodeURIComponent(part))
  } catch {
    return undefined
  }
}
