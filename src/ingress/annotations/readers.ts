// Each annotation by its name without the prefix. Most names are those of ingress-nginx and mean the same under both
// prefixes; where its form is another one, its name stands in a table of its own.

import type { CanaryRule, RedirectCode, Settings } from '#ingress/annotations/settings.ts'
import * as values from '#ingress/annotations/values.ts'
import type { Read } from '#ingress/annotations/values.ts'
import type { Protocol } from '#ingress/route.ts'

/** What annotations say one by one, before it is put together. */
export type Said = Omit<Settings, 'sslRedirect' | 'rewrites' | 'redirect' | 'limits' | 'cors' | 'auth' | 'affinity'> & {
  readonly protocol?: Protocol | undefined
  /** plain HTTP is sent to https: always, or where there is a certificate */
  readonly sslRedirect?: boolean
  readonly sslRedirectWithTls?: boolean
  readonly rewriteTarget?: string
  readonly usesPatterns?: boolean
  readonly appRoot?: string
  readonly permanentRedirect?: string
  readonly permanentRedirectCode?: RedirectCode
  readonly temporalRedirect?: string
  readonly wwwRedirect?: boolean
  readonly perSecond?: number
  readonly perMinute?: number
  readonly atOnce?: number
  readonly cors?: boolean
  readonly corsOrigins?: readonly string[]
  readonly corsMethods?: string
  readonly corsHeaders?: string
  readonly corsExposed?: string
  readonly corsCredentials?: boolean
  readonly corsMaxAge?: number
  readonly authType?: string
  readonly authSecret?: string
  readonly authRealm?: string
  readonly affinity?: string
  readonly cookieName?: string
  readonly cookiePath?: string
  readonly cookieMaxAge?: number
  readonly cookieSameSite?: string
  readonly cookieSecure?: boolean
  readonly canary?: boolean
  readonly canaryWeight?: number
  readonly canaryTotal?: number
  readonly canaryHeader?: string
  readonly canaryHeaderValue?: string
  readonly canaryCookie?: CanaryRule['cookie']
  readonly virtualHost?: string
  readonly forwardedPrefix?: string
}

/** A part of what is said, with a word where not all of it can be used. */
export type Reader = (text: string) => { readonly said: Said; readonly problem?: string } | string

function into<T>(read: (text: string) => Read<T>, said: (value: T) => Said): Reader {
  return (text) => {
    const result = read(text)
    return typeof result === 'string' ? result : { said: said(result.value) }
  }
}
/** What lets nobody in more than was meant: of a list of ranges those that are some count. */
function rangesInto(said: (value: readonly string[]) => Said): Reader {
  return (text) => {
    const { value, problem } = values.ranges(text)
    return { said: said(value), ...(problem && { problem }) }
  }
}
const anyText = (text: string): Read<string> =>
  text === '' || text.includes('\n') ? 'a text of one line is expected' : { value: text }
const code = (text: string): Read<RedirectCode> => {
  const read = values.oneOf('301', '302', '303', '307', '308')(text)
  return typeof read === 'string' ? read : { value: Number(read.value) as RedirectCode }
}
const positive = values.wholeNumber(1, 1_000_000)

/** Under our own prefix and under nginx's. */
export const sharedReaders: Readonly<Record<string, Reader>> = {
  'rewrite-target': into(values.path, (rewriteTarget) => ({ rewriteTarget })),
  'use-regex': into(values.yesOrNo, (usesPatterns) => ({ usesPatterns })),
  'app-root': into(values.path, (appRoot) => ({ appRoot })),
  'permanent-redirect': into(values.url, (permanentRedirect) => ({ permanentRedirect })),
  'permanent-redirect-code': into(code, (permanentRedirectCode) => ({ permanentRedirectCode })),
  'temporal-redirect': into(values.url, (temporalRedirect) => ({ temporalRedirect })),
  'from-to-www-redirect': into(values.yesOrNo, (wwwRedirect) => ({ wwwRedirect })),
  'force-ssl-redirect': into(values.yesOrNo, (sslRedirect) => ({ sslRedirect })),
  'whitelist-source-range': rangesInto((allow) => ({ allow })),
  'allowlist-source-range': rangesInto((allow) => ({ allow })),
  'denylist-source-range': rangesInto((deny) => ({ deny })),
  'limit-rps': into(positive, (perSecond) => ({ perSecond })),
  'limit-rpm': into(positive, (perMinute) => ({ perMinute })),
  'limit-connections': into(positive, (atOnce) => ({ atOnce })),
  'enable-cors': into(values.yesOrNo, (cors) => ({ cors })),
  'cors-allow-origin': into(values.origins, (corsOrigins) => ({ corsOrigins })),
  'cors-allow-methods': into(values.tokens, (corsMethods) => ({ corsMethods })),
  'cors-allow-headers': into(values.tokens, (corsHeaders) => ({ corsHeaders })),
  'cors-expose-headers': into(values.tokens, (corsExposed) => ({ corsExposed })),
  'cors-allow-credentials': into(values.yesOrNo, (corsCredentials) => ({ corsCredentials })),
  'cors-max-age': into(values.wholeNumber(0, 2 ** 31 - 1), (corsMaxAge) => ({ corsMaxAge })),
  'auth-type': into(values.oneOf('basic', 'none'), (authType) => ({ authType })),
  'auth-secret': into(anyText, (authSecret) => ({ authSecret })),
  'auth-realm': into(anyText, (authRealm) => ({ authRealm })),
  affinity: into(values.oneOf('cookie', 'none'), (affinity) => ({ affinity })),
  'session-cookie-name': into(values.cookieName, (cookieName) => ({ cookieName })),
  'session-cookie-path': into(values.path, (cookiePath) => ({ cookiePath })),
  'session-cookie-max-age': into(values.wholeNumber(0, 2 ** 31 - 1), (cookieMaxAge) => ({ cookieMaxAge })),
  'session-cookie-samesite': into(values.oneOf('Strict', 'Lax', 'None'), (cookieSameSite) => ({ cookieSameSite })),
  'session-cookie-secure': into(values.yesOrNo, (cookieSecure) => ({ cookieSecure })),
  'upstream-hash-by': into(values.hashKey, (hashBy) => ({ hashBy })),
  'upstream-vhost': into(anyText, (virtualHost) => ({ virtualHost })),
  'x-forwarded-prefix': into(values.path, (forwardedPrefix) => ({ forwardedPrefix })),
  canary: into(values.yesOrNo, (canary) => ({ canary })),
  'canary-weight': into(values.wholeNumber(0, 1_000_000), (canaryWeight) => ({ canaryWeight })),
  'canary-weight-total': into(positive, (canaryTotal) => ({ canaryTotal })),
  'canary-by-header': into(values.headerName, (canaryHeader) => ({ canaryHeader })),
  'canary-by-header-value': into(anyText, (canaryHeaderValue) => ({ canaryHeaderValue })),
  'canary-by-cookie': into(values.cookieName, (canaryCookie) => ({ canaryCookie })),
}

export const ownReaders: Readonly<Record<string, Reader>> = {
  'connect-timeout': into(values.duration, (connectTimeoutMs) => ({ connectTimeoutMs })),
  'read-timeout': into(values.duration, (readTimeoutMs) => ({ readTimeoutMs })),
  'tunnel-timeout': into(values.duration, (tunnelTimeoutMs) => ({ tunnelTimeoutMs })),
  'body-limit': into(values.size, (bodyLimitBytes) => ({ bodyLimitBytes })),
  'ssl-redirect': into(values.yesOrNo, (sslRedirect) => ({ sslRedirect })),
  protocol: into(values.oneOf('http', 'h2c', 'https'), (protocol) => ({ protocol })),
  'request-headers': into(values.headers, (requestHeaders) => ({ requestHeaders })),
  'response-headers': into(values.headers, (responseHeaders) => ({ responseHeaders })),
}

const nginxProtocols = { HTTP: 'http', AUTO_HTTP: undefined, HTTPS: 'https', GRPC: 'h2c', GRPCS: 'https' } as const

export const nginxReaders: Readonly<Record<string, Reader>> = {
  'proxy-connect-timeout': into(values.seconds, (connectTimeoutMs) => ({ connectTimeoutMs })),
  'proxy-read-timeout': into(values.seconds, (ms) => ({ readTimeoutMs: ms, tunnelTimeoutMs: ms })),
  'proxy-body-size': into(values.nginxSize, (bytes) => (bytes === undefined ? {} : { bodyLimitBytes: bytes })),
  'ssl-redirect': into(values.yesOrNo, (sslRedirectWithTls) => ({ sslRedirectWithTls })),
  'backend-protocol': into(values.oneOf('HTTP', 'HTTPS', 'GRPC', 'GRPCS', 'AUTO_HTTP'), (name) => ({
    protocol: nginxProtocols[name],
  })),
}
