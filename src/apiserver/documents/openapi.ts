// /openapi/v2 and /openapi/v3: the schemas that clients check against and patch by. Made when they are first asked for.

import type { Discovered } from '#api/discovery-document.ts'
import { encodeGnostic, gnosticMediaType } from '#api/openapi/gnostic.ts'
import { openApiV2Document } from '#api/openapi/v2.ts'
import { openApiV3Document, openApiV3Index } from '#api/openapi/v3.ts'
import { kubernetesVersion, version as ownVersion } from '#daemon/version.ts'
import { toHex, utf8 } from '#lib/bytes.ts'
import { sha256 } from '#lib/hash.ts'
import { jsonAnswer, type Answer, type ApiRequest } from '#apiserver/http/answer.ts'

export interface OpenApi {
  /** Undefined: not a path of these. */
  answer(request: ApiRequest): Answer | undefined
}

/** What the answer is called: the `@` of the request's name is none of the characters that media types may have. */
const gnosticContentType = gnosticMediaType.replace('@', '.')

type Document = { readonly bytes: Uint8Array; readonly contentType: string }

export function openApiOf(resources: () => readonly Discovered[]): OpenApi {
  const made = new Map<string, Document>()
  let madeOf: readonly Discovered[] = []
  const once = (key: string, make: () => Document | undefined) => {
    // The list is another one whenever what is served has changed.
    if (madeOf !== resources()) made.clear()
    madeOf = resources()
    const known = made.get(key) ?? make()
    // What there is not is not remembered: there is no end to it.
    if (known !== undefined) made.set(key, known)
    return known
  }
  const json = (value: object | undefined): Document | undefined =>
    value === undefined ? undefined : { bytes: utf8(JSON.stringify(value)), contentType: 'application/json' }
  const v2 = () => openApiV2Document(resources(), kubernetesVersion)
  return {
    answer(request) {
      const { path } = request
      if (path === '/openapi/v2' || path === '/openapi/v2/') {
        const isGnostic = request.header('accept')?.includes(gnosticMediaType.split('@')[0]!) ?? false
        return isGnostic
          ? send(
              request,
              once('v2 gnostic', () => ({ bytes: encodeGnostic(v2()), contentType: gnosticContentType })),
            )
          : send(
              request,
              once('v2', () => json(v2())),
            )
      }
      if (path === '/openapi/v3' || path === '/openapi/v3/')
        return jsonAnswer(openApiV3Index(resources(), (name) => hashOf(resources(), name)))
      if (!path.startsWith('/openapi/v3/')) return undefined
      const name = path.slice('/openapi/v3/'.length)
      return send(
        request,
        once(name, () => json(openApiV3Document(resources(), name, kubernetesVersion))),
      )
    },
  }
}

/** Changes whenever the document does: it follows from what is served and from this program. */
function hashOf(resources: readonly Discovered[], name: string): string {
  const own = resources.filter(
    ({ group, version }) => name === (group === '' ? `api/${version}` : `apis/${group}/${version}`),
  )
  return toHex(sha256(JSON.stringify([ownVersion, kubernetesVersion, own]))).toUpperCase()
}

function send(request: ApiRequest, document: Document | undefined): Answer | undefined {
  if (document === undefined) return undefined
  const { bytes, contentType } = document
  const tag = `"${toHex(sha256(bytes)).toUpperCase()}"`
  const isKnown = request.header('if-none-match') === tag
  const headers = { etag: tag, vary: 'Accept' }
  return { kind: 'bytes', code: isKnown ? 304 : 200, contentType, parts: isKnown ? [] : [bytes], headers }
}
