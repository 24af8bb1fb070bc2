// What an Ingress may set by annotations. All of them are ours, under one prefix; what others' controllers would do by
// theirs is not done, and told of.

import { parseQuantity, quantityValue } from '#api/quantity.ts'
import type { Protocol } from '#ingress/route.ts'
import { parseDuration } from '#lib/duration.ts'

export const prefix = 'ingress.fairway/'

export type Settings = {
  /** how long the endpoint may be silent */
  readonly readTimeoutMs?: number
  /** how long a WebSocket may be silent */
  readonly tunnelTimeoutMs?: number
  /** the most that a request's body may have */
  readonly bodyLimitBytes?: number
  /** answers plain HTTP with a redirect */
  readonly sslRedirect?: true
  /** what the endpoints speak; without it what the Service's appProtocol says, else http */
  readonly protocol?: Protocol
}

export type ReadSettings = { readonly settings: Settings; readonly problems: readonly string[] }

type Reader = (text: string) => Settings | string

const readers: Readonly<Record<string, Reader>> = {
  'read-timeout': (text) => within(parseDuration(text), (readTimeoutMs) => ({ readTimeoutMs })),
  'tunnel-timeout': (text) => within(parseDuration(text), (tunnelTimeoutMs) => ({ tunnelTimeoutMs })),
  'body-limit': (text) => {
    const quantity = parseQuantity(text)
    const bytes = quantity.kind === 'ok' ? quantityValue(quantity.value) : 0
    return bytes > 0 && Number.isSafeInteger(bytes) ? { bodyLimitBytes: bytes } : 'a size is expected, as 8Mi'
  },
  'ssl-redirect': (text) =>
    text === 'true' ? { sslRedirect: true } : text === 'false' ? {} : 'true or false is expected',
  protocol: (text) =>
    text === 'http' || text === 'h2c' || text === 'https' ? { protocol: text } : 'http, h2c or https is expected',
}

const mostMs = 2 ** 31 - 1
const within = (ms: number | undefined, settings: (ms: number) => Settings): Settings | string =>
  ms !== undefined && ms >= 1 && ms <= mostMs
    ? settings(Math.round(ms))
    : 'a duration between 1ms and 596h is expected, as 90s'

/** The names without their prefix. */
export const annotationNames: readonly string[] = Object.keys(readers)

/** Where an annotation says nothing that can be used, the others still count. */
export function readSettings(annotations: Readonly<Record<string, string>>): ReadSettings {
  let settings: Settings = {}
  const problems: string[] = []
  for (const [name, text] of Object.entries(annotations)) {
    if (!name.startsWith(prefix)) {
      if (isForeign(name)) problems.push(`annotation ${name} is of another controller and does nothing here`)
      continue
    }
    const read = readers[name.slice(prefix.length)]
    const result =
      read === undefined ? `there is none of this name; known are ${annotationNames.join(', ')}` : read(text)
    if (typeof result === 'string') problems.push(`annotation ${name}: ${JSON.stringify(text)}: ${result}`)
    else settings = { ...settings, ...result }
  }
  return { settings, problems }
}

/** `nginx.ingress.kubernetes.io/...`, `haproxy.org/...`, `traefik.ingress.kubernetes.io/...` and the like. */
const isForeign = (name: string): boolean =>
  /^([a-z0-9-]+\.)*(ingress\.kubernetes\.io|haproxy\.org|nginx\.org|traefik\.io|konghq\.com)\//.test(name)
