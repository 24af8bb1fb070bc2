// What settings come to in HAProxy's words: the lines of a back end. Ordinary ones have none.

import type {
  Affinity,
  BasicAuth,
  Cors,
  HashKey,
  Header,
  Limits,
  Redirect,
  Settings,
} from '#ingress/annotations/settings.ts'
import { fields } from '#ingress/haproxy/fields.ts'
import { isOfApache, usersName } from '#ingress/haproxy/htpasswd.ts'

/** The table in which all back ends remember whose password was right. */
export const verifiedTable = 'verified'

/** The lines of a back end, in the order in which they count: what refuses before what answers before what changes. */
export function rulesOf(settings: Settings): readonly string[] {
  const { connectTimeoutMs, readTimeoutMs, tunnelTimeoutMs, sslRedirect, rewrites } = settings
  return [
    ...(connectTimeoutMs === undefined ? [] : [`timeout connect ${connectTimeoutMs}`]),
    ...(readTimeoutMs === undefined ? [] : [`timeout server ${readTimeoutMs}`]),
    ...(tunnelTimeoutMs === undefined ? [] : [`timeout tunnel ${tunnelTimeoutMs}`]),
    ...(settings.hashBy === undefined ? [] : [`balance hash ${hashOf(settings.hashBy)}`, 'hash-type consistent']),
    ...(sslRedirect ? ['http-request redirect scheme https code 308 unless { ssl_fc }'] : []),
    ...rangeRules(settings),
    ...(settings.limits ? limitRules(settings.limits) : []),
    ...(settings.cors ? corsRules(settings.cors) : []),
    ...(settings.auth ? authRules(settings.auth) : []),
    ...(settings.redirect ? [redirectRule(settings.redirect)] : []),
    ...(settings.bodyLimitBytes === undefined ? [] : bodyRules(settings.bodyLimitBytes)),
    ...(settings.requestHeaders ?? []).map((header) => `http-request ${setHeader(header)}`),
    ...(rewrites ? [`http-request set-path %[var(txn.route),field(${fields.path},|,0)]`] : []),
    ...(settings.responseHeaders ?? []).map((header) => `http-response ${setHeader(header)}`),
    ...(settings.affinity ? affinityRules(settings.affinity) : []),
  ]
}

/** A word of the configuration in which nothing has a meaning. */
const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
/** The same where a format is expected. */
const quoteFormat = (text: string): string => quote(text.replaceAll('%', '%%'))

const setHeader = ([name, value]: Header): string => `set-header ${quote(name)} ${quoteFormat(value)}`

const deny = (status: number, text: string, condition: string): string =>
  `http-request return status ${status} content-type text/plain string "${text}\\n" if ${condition}`

/** A condition's lines: HAProxy takes 64 words in one. */
function acl(name: string, fetch: string, words: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < words.length; at += 50) lines.push(`acl ${name} ${fetch} ${words.slice(at, at + 50).join(' ')}`)
  return lines
}

function rangeRules({ allow, deny: denied = [] }: Settings): string[] {
  const refuse = (condition: string) => deny(403, 'your address may not come in', condition)
  return [
    ...acl('is_denied', 'src', denied),
    ...(denied.length === 0 ? [] : [refuse('is_denied')]),
    ...acl('is_allowed', 'src', allow ?? []),
    ...(allow === undefined ? [] : [refuse(allow.length === 0 ? 'TRUE' : '!is_allowed')]),
  ]
}

/** As nginx with its burst: five times as many may come at once, if fewer came before. */
function limitRules({ perSecond, perMinute, atOnce }: Limits): string[] {
  const refuse = (condition: string) => deny(429, 'too many requests', condition)
  return [
    'stick-table type ipv6 size 100k expire 300s store http_req_rate(5s),gpc0_rate(300s),conn_cur',
    'http-request track-sc0 src',
    'http-request sc-inc-gpc0(0)',
    ...(perSecond === undefined ? [] : [refuse(`{ sc0_http_req_rate gt ${perSecond * 5} }`)]),
    ...(perMinute === undefined ? [] : [refuse(`{ sc0_gpc0_rate gt ${perMinute * 5} }`)]),
    ...(atOnce === undefined ? [] : [refuse(`{ sc0_conn_cur gt ${atOnce} }`)]),
  ]
}

function corsRules({ origins, methods, headers, exposed, withCredentials, maxAgeSeconds }: Cors): string[] {
  const isAny = origins.includes('*')
  const patterns = origins.map((origin) => {
    const text = origin.replaceAll(/[.+]/g, String.raw`\$&`)
    return quote(`^${text.replace('*', '[a-z0-9-]+')}$`)
  })
  const known = '{ var(txn.origin) -m found }'
  const allowed = [
    `Access-Control-Allow-Origin ${isAny ? "'*'" : '%[var(txn.origin)]'}`,
    ...(withCredentials ? ['Access-Control-Allow-Credentials true'] : []),
  ]
  const preflight = [
    ...allowed,
    `Access-Control-Allow-Methods ${quote(methods)}`,
    `Access-Control-Allow-Headers ${quote(headers)}`,
    `Access-Control-Max-Age ${maxAgeSeconds}`,
  ]
  const isAsked = '{ method OPTIONS } { req.hdr(access-control-request-method) -m found }'
  return [
    ...(isAny ? [] : acl('is_origin', 'req.hdr(origin),lower -m reg', patterns)),
    `http-request set-var(txn.origin) req.hdr(origin)${isAny ? '' : ' if is_origin'}`,
    `http-request return status 204 ${preflight.map((header) => `hdr ${header}`).join(' ')} if ${isAsked} ${known}`,
    ...allowed.map((header) => `http-after-response set-header ${header} if ${known}`),
    ...(exposed === undefined
      ? []
      : [`http-after-response set-header Access-Control-Expose-Headers ${quote(exposed)} if ${known}`]),
    ...(isAny ? [] : ['http-after-response add-header Vary Origin']),
  ]
}

/** The section that has those who may come in. */
export function usersSection({ auth }: Settings): string | undefined {
  if (auth?.users === undefined) return undefined
  const own = auth.users.filter((user) => !isOfApache(user))
  const lines = own.map(({ name, hash }) => `  user ${quote(name)} password ${quote(hash)}\n`)
  return `userlist ${usersName(auth.users)}\n${lines.join('')}`
}

/** A password that was right is compared once in ten minutes: hashes are slow by intent. */
function authRules({ realm, users }: BasicAuth): string[] {
  if (users === undefined) return [deny(503, 'the list of users is missing', 'TRUE')]
  const list = usersName(users)
  const has = '{ var(txn.claim) -m found }'
  const ask = `http-request auth realm ${quote(realm)} unless { sc1_get_gpt0 gt 0 } || { http_auth(${list}) }`
  return [
    `http-request set-var(txn.claim) req.hdr(authorization),concat(${quote(` ${list}`)}),sha2(256) if { req.hdr(authorization) -m found }`,
    `http-request track-sc1 var(txn.claim) table ${verifiedTable} if ${has}`,
    ...(users.some(isOfApache)
      ? ['.if feature(LUA)', `${ask} || { lua.htpasswd(${list}) -m bool }`, '.else', ask, '.endif']
      : [ask]),
    `http-request sc-set-gpt0(1) 1 if ${has}`,
  ]
}

/** Of nginx's variables those that redirects are written with. */
const variables: Readonly<Record<string, string>> = {
  $request_uri: '%[pathq]',
  $host: '%[req.hdr(host),field(1,:)]',
  $scheme: '%[ssl_fc,iif(https,http)]',
}
const fillVariables = (format: string): string =>
  format.replaceAll(/\$(request_uri|host|scheme)\b/g, (name) => variables[name]!)

const redirectRule = (redirect: Redirect): string =>
  'url' in redirect
    ? `http-request redirect location ${fillVariables(quoteFormat(redirect.url))} code ${redirect.code}`
    : `http-request redirect prefix %[ssl_fc,iif(https,http)]://${redirect.host} code ${redirect.code}`

/** Who does not say how much comes is not let in: it would be known too late. */
function bodyRules(limit: number): string[] {
  const unknown = '!{ req.hdr(content-length) -m found }'
  return [
    deny(413, 'the body is too large', `{ req.hdr(content-length) -m int gt ${limit} }`),
    deny(411, 'say how long the body is', `${unknown} { req.hdr(transfer-encoding) -m found }`),
    deny(411, 'say how long the body is', `${unknown} !{ method GET HEAD OPTIONS DELETE TRACE }`),
  ]
}

function hashOf(key: HashKey): string {
  if (key.of === 'header') return `req.fhdr(${key.name})`
  if (key.of === 'cookie') return `req.cook(${key.name})`
  if (key.of === 'parameter') return `urlp(${key.name})`
  return { client: 'src', host: 'req.hdr(host),lower', path: 'path', url: 'pathq' }[key.of]
}

/** The cookie has the name of a server; where that is gone another one is chosen, and said. */
const affinityRules = ({ cookie, attributes }: Affinity): string[] => [
  `http-request set-var(txn.sticky) req.cook(${cookie})`,
  'http-response set-var(txn.server) srv_name',
  `http-response add-header Set-Cookie ${quoteFormat(`${cookie}=`)}%[var(txn.server)]${quoteFormat(`; ${attributes}`)} unless { var(txn.sticky),strcmp(txn.server) eq 0 }`,
  'use-server %[var(txn.sticky)] if { var(txn.sticky) -m found }',
]
