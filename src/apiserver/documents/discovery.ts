// The paths of discovery: /api, /apis and what is below them down to the groups and versions.

import {
  aggregatedContentType,
  aggregatedDiscovery,
  aggregatedVersion,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type Discovered,
} from '#api/discovery-document.ts'
import { toHex } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { jsonAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'

export type Discovery = {
  /** asked anew each time: kinds may come and go */
  resources(): readonly Discovered[]
  /** `HOST:PORT` */
  readonly serverAddress: string
}

/** Undefined: not a path of discovery, or nothing is served there. */
export function answerDiscovery(discovery: Discovery, request: ApiRequest): Answer | undefined {
  const [root, first, second, ...more] = request.path.split('/').filter((part) => part !== '')
  if (more.length > 0 || (root !== 'api' && root !== 'apis')) return undefined
  const resources = discovery.resources()
  const isLegacy = root === 'api'
  if (first === undefined) {
    const version = aggregatedVersion(request.header('accept'))
    if (version !== undefined)
      return tagged(request, aggregatedDiscovery(resources, isLegacy, version), aggregatedContentType(version))
    return jsonAnswer(isLegacy ? apiVersions(resources, discovery.serverAddress) : apiGroupList(resources))
  }
  const document = isLegacy
    ? second === undefined
      ? apiResourceList(resources, '', first)
      : undefined
    : second === undefined
      ? apiGroupDocument(resources, first)
      : apiResourceList(resources, first, second)
  return document === undefined ? undefined : jsonAnswer(document)
}

/** With an ETag, so that a client that has the document already is not sent it again. */
function tagged(request: ApiRequest, document: object, contentType: string): Answer {
  const text = JSON.stringify(document)
  const tag = `"${toHex(sha256(text)).toUpperCase()}"`
  const headers = { etag: tag, vary: 'Accept' }
  if (request.header('if-none-match') === tag) return { kind: 'bytes', code: 304, contentType, parts: [], headers }
  return { kind: 'bytes', code: 200, contentType, parts: [new TextEncoder().encode(text)], headers }
}
