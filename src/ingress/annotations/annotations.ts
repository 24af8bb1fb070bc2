// What an Ingress says by annotations: under our own prefix, and under that of ingress-nginx where the meaning is the same.
// What others' controllers would do besides is not done, and told of.

import { ownReaders, nginxReaders, type Reader, type Said, sharedReaders } from '#ingress/annotations/readers.ts'
import type { Canary, Limits, Settings } from '#ingress/annotations/settings.ts'
import type { Protocol } from '#ingress/route.ts'
import { nearest } from '#lib/nearest.ts'

export const prefix = 'ingress.fairway/'
export const nginxPrefix = 'nginx.ingress.kubernetes.io/'

export type Annotations = {
  readonly settings: Settings
  /** what the endpoints speak; without it what the Service's appProtocol says, else http */
  readonly protocol?: Protocol | undefined
  /** with `$1` ... for the groups of a pattern */
  readonly rewriteTarget?: string
  /** paths of type ImplementationSpecific may be patterns */
  readonly usesPatterns: boolean
  readonly appRoot?: string
  /** the other one of `a.test` and `www.a.test` leads here */
  readonly wwwRedirect: boolean
  /** plain HTTP is sent to https where there is a certificate */
  readonly sslRedirectWithTls: boolean
  /** the Secret that has the users, in the Ingress's own namespace */
  readonly authSecret?: string
  /** this Ingress takes a share of what others' routes get */
  readonly canary?: Canary
  readonly problems: readonly string[]
}

const own: Readonly<Record<string, Reader>> = { ...sharedReaders, ...ownReaders }
const nginx: Readonly<Record<string, Reader>> = { ...sharedReaders, ...nginxReaders }

/** The names without their prefix. */
export const annotationNames: readonly string[] = Object.keys(own)
export const nginxAnnotationNames: readonly string[] = Object.keys(nginx)

/** Where an annotation says nothing that can be used, the others still count. Of both prefixes our own counts. */
export function readAnnotations(annotations: Readonly<Record<string, string>>): Annotations {
  let said: Said = {}
  const problems: string[] = []
  const names = Object.keys(annotations).sort((a, b) => Number(a.startsWith(prefix)) - Number(b.startsWith(prefix)))
  for (const name of names) {
    const text = annotations[name]!
    const result = read(name, text.trim())
    if (result === undefined) continue
    if (typeof result === 'string') {
      problems.push(`annotation ${name}: ${result}`)
      continue
    }
    said = { ...said, ...result.said }
    if (result.problem !== undefined) problems.push(`annotation ${name}: ${JSON.stringify(text)}: ${result.problem}`)
  }
  const { canaryTotal = 100, canaryWeight = 0 } = said
  if (canaryWeight > canaryTotal)
    problems.push(`canary-weight ${canaryWeight} is more than ${canaryTotal}: all go there`)
  return { ...combine(said, problems), problems }
}

/** Undefined: none of ours. */
function read(name: string, text: string): ReturnType<Reader> | undefined {
  const [readers, at] = name.startsWith(prefix)
    ? [own, prefix]
    : name.startsWith(nginxPrefix)
      ? [nginx, nginxPrefix]
      : [undefined, '']
  if (readers === undefined) return isForeign(name) ? 'is of another controller and does nothing here' : undefined
  const reader = readers[name.slice(at.length)]
  if (reader === undefined) {
    const near = nearest(name.slice(at.length), Object.keys(readers))
    return `there is none of this name here, and it does nothing${near === undefined ? '' : `; is ${near} meant?`}`
  }
  if (/[^\P{Cc}\n]/u.test(text)) return 'control characters are in its value'
  const result = reader(text)
  return typeof result === 'string' ? `${JSON.stringify(text)}: ${result}` : result
}

function combine(said: Said, problems: string[]): Omit<Annotations, 'problems'> {
  const { protocol, rewriteTarget, appRoot, canary, authType, authSecret } = said
  const isGuarded = authType === 'basic' || (authSecret !== undefined && authType !== 'none')
  if (isGuarded && authSecret === undefined) problems.push('auth-type basic needs auth-secret: nobody may come in')
  return {
    settings: settingsOf(said, isGuarded),
    protocol,
    ...(rewriteTarget !== undefined && { rewriteTarget }),
    usesPatterns: said.usesPatterns === true || rewriteTarget !== undefined,
    ...(appRoot !== undefined && { appRoot }),
    wwwRedirect: said.wwwRedirect === true,
    sslRedirectWithTls: said.sslRedirectWithTls === true,
    ...(isGuarded && authSecret !== undefined && { authSecret }),
    ...(canary === true && { canary: canaryOf(said) }),
  }
}

const corsDefaults = {
  methods: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
  headers:
    'DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Range, Authorization',
  maxAgeSeconds: 1_728_000,
}

function settingsOf(said: Said, isGuarded: boolean): Settings {
  const { connectTimeoutMs, readTimeoutMs, tunnelTimeoutMs, bodyLimitBytes, allow, deny, hashBy } = said
  const { perSecond, perMinute, atOnce, responseHeaders, permanentRedirect, temporalRedirect, virtualHost } = said
  const url = permanentRedirect ?? temporalRedirect
  const limits = withoutUndefined<Limits>({ perSecond, perMinute, atOnce })
  const requestHeaders = [
    ...(virtualHost === undefined ? [] : [['Host', virtualHost] as const]),
    ...(said.forwardedPrefix === undefined ? [] : [['X-Forwarded-Prefix', said.forwardedPrefix] as const]),
    ...(said.requestHeaders ?? []),
  ]
  return withoutUndefined<Settings>({
    connectTimeoutMs,
    readTimeoutMs,
    tunnelTimeoutMs,
    bodyLimitBytes,
    sslRedirect: said.sslRedirect === true ? true : undefined,
    redirect:
      url === undefined
        ? undefined
        : { code: permanentRedirect === undefined ? 302 : (said.permanentRedirectCode ?? 301), url },
    allow,
    deny,
    limits: Object.keys(limits).length > 0 ? limits : undefined,
    cors: said.cors === true ? corsOf(said) : undefined,
    auth: isGuarded ? { realm: said.authRealm ?? 'Authentication Required' } : undefined,
    affinity: said.affinity === 'cookie' ? affinityOf(said) : undefined,
    hashBy,
    requestHeaders: requestHeaders.length > 0 ? requestHeaders : undefined,
    responseHeaders,
  })
}

function corsOf(said: Said): Settings['cors'] {
  const { corsOrigins = ['*'], corsMethods, corsHeaders, corsExposed, corsCredentials, corsMaxAge } = said
  return {
    origins: corsOrigins,
    methods: corsMethods ?? corsDefaults.methods,
    headers: corsHeaders ?? corsDefaults.headers,
    ...(corsExposed !== undefined && { exposed: corsExposed }),
    withCredentials: corsCredentials ?? true,
    maxAgeSeconds: corsMaxAge ?? corsDefaults.maxAgeSeconds,
  }
}

function affinityOf(said: Said): Settings['affinity'] {
  const { cookieName = 'INGRESSCOOKIE', cookiePath = '/', cookieMaxAge, cookieSameSite, cookieSecure } = said
  const attributes = [
    `Path=${cookiePath}`,
    ...(cookieMaxAge === undefined ? [] : [`Max-Age=${cookieMaxAge}`]),
    ...(cookieSameSite === undefined ? [] : [`SameSite=${cookieSameSite}`]),
    ...(cookieSecure === true ? ['Secure'] : []),
    'HttpOnly',
  ]
  return { cookie: cookieName, attributes: attributes.join('; ') }
}

function canaryOf(said: Said): Canary {
  const { canaryWeight = 0, canaryTotal = 100, canaryHeader, canaryHeaderValue: value, canaryCookie } = said
  return {
    weight: Math.min(100, (canaryWeight * 100) / canaryTotal),
    ...(canaryHeader !== undefined && { header: { name: canaryHeader, ...(value !== undefined && { value }) } }),
    ...(canaryCookie !== undefined && { cookie: canaryCookie }),
  }
}

/** In a form in which equal settings have equal texts. */
const withoutUndefined = <T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T =>
  JSON.parse(JSON.stringify(value)) as T

/** `haproxy.org/...`, `traefik.ingress.kubernetes.io/...` and the like. */
const isForeign = (name: string): boolean =>
  /^([a-z0-9-]+\.)*(ingress\.kubernetes\.io|haproxy\.org|nginx\.org|traefik\.io|konghq\.com)\//.test(name)
