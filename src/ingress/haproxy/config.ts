// The files that HAProxy starts from. All of them follow from a layout, so that a start, a reload and the runtime API
// lead to the same.

import {
  certificateName,
  fields,
  type Layout,
  nowhere,
  pathEnd,
  serverWords,
  settingFields,
} from '#ingress/haproxy/layout.ts'
import { nameOfSlot } from '#ingress/haproxy/slots.ts'

export type ProxySettings = {
  /** where all its files are */
  readonly folder: string
  /** `:80`, `127.0.0.1:8080` */
  readonly http: string
  readonly https: string
  readonly threads: number
  readonly accessLog: boolean
  /** ranges of proxies before this one, whose X-Forwarded-* is believed */
  readonly trustedProxies: readonly string[]
}

export const socketOf = (folder: string): string => `${folder}/control`
export const pidFileOf = (folder: string): string => `${folder}/pid`
export const configOf = (folder: string): string => `${folder}/haproxy.cfg`
export const mapFileOf = (folder: string): string => `${folder}/routes.map`
export const certificateFileOf = (folder: string, name: string): string => `${folder}/certificates/${name}`
export const certificateListOf = (folder: string): string => `${folder}/certificates.list`
/** No Secret is called that: an underscore comes after the namespace. */
export const defaultCertificateOf = (folder: string): string => certificateFileOf(folder, 'default.pem')

/** The text of a map's file. */
export const renderMap = (map: ReadonlyMap<string, string>): string =>
  [...map].map(([key, value]) => `${key} ${value}\n`).join('')

export const renderCertificateList = (folder: string, { certificates }: Layout): string =>
  [
    defaultCertificateOf(folder),
    ...[...certificates].map(([key, { hosts }]) => listLine(folder, certificateName(key, hosts), hosts)),
    '',
  ].join('\n')

/** One line of the list of certificates: which names get it. */
export const listLine = (folder: string, name: string, hosts: readonly string[]): string =>
  `${certificateFileOf(folder, name)} [alpn h2,http/1.1] ${hosts.join(' ')}`

/** haproxy.cfg with so many back ends. */
export function renderConfig(settings: ProxySettings, layout: Layout, slotCount: number): string {
  const { folder, http, https, threads, accessLog, trustedProxies } = settings
  return `global
  stats socket ${socketOf(folder)} mode 600 level admin expose-fd listeners
  stats timeout 1d
  nbthread ${threads}
  ssl-default-bind-options ssl-min-ver TLSv1.2
${accessLog ? '  log stdout format raw local0\n' : ''}
defaults base
  mode http
  timeout connect 2s
  timeout client 60s
  timeout client-fin 10s
  timeout server 60s
  timeout tunnel 1h
  timeout http-request 10s
  timeout http-keep-alive 60s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  http-reuse safe
  option idle-close-on-response
${accessLog ? `  log global\n  option dontlognull\n` : ''}
frontend web from base
  bind ${http}
  bind ${https} ssl crt-list ${certificateListOf(folder)} alpn h2,http/1.1
${accessLog ? `  log-format "${logFormat}"\n  http-request set-var(txn.host) req.hdr(host)\n` : ''}${renderClient(trustedProxies)}
${renderLookups(folder)}
${settingsRules}
  http-request disable-l7-retry if !{ method GET HEAD OPTIONS PUT DELETE TRACE }
  http-request set-header X-Request-ID %[uuid()] if !{ req.hdr(x-request-id) -m found }
  use_backend %[var(txn.route),field(${fields.backend},|)] if { var(txn.route) -m found }
  default_backend unmatched

backend unmatched from base
  http-request return status 404 content-type text/plain string "no Ingress is for this host and path\\n"

backend ${nowhere} from base

defaults routed from base
  balance leastconn
  http-request set-timeout server ${setting('readTimeout')} if ${isSet('readTimeout')}
  http-request set-timeout tunnel ${setting('tunnelTimeout')} if ${isSet('tunnelTimeout')}

${renderBackends(layout, slotCount)}`
}

/**
 * Who the client is, and what endpoints are told of it. What it says itself counts only where it is a proxy that is
 * trusted: then the last address in X-Forwarded-For that is not such a proxy's is the client's, three proxies at most.
 */
function renderClient(trustedProxies: readonly string[]): string {
  const own = [
    'X-Forwarded-For %[src]',
    'X-Forwarded-Host %[req.hdr(host)]',
    'X-Forwarded-Port %[dst_port]',
    'X-Forwarded-Proto %[ssl_fc,iif(https,http)]',
  ]
  const realIp = '  http-request set-header X-Real-IP %[src]'
  if (trustedProxies.length === 0)
    return [...own.map((header) => `  http-request set-header ${header}`), realIp].join('\n')
  const behind = '{ var(txn.behind) -m found }'
  return [
    `  acl is_trusted src ${trustedProxies.join(' ')}`,
    '  http-request set-var(txn.behind) src if is_trusted',
    ...[-1, -2, -3].map((at) => `  http-request set-src hdr_ip(x-forwarded-for,${at}) if is_trusted`),
    `  http-request add-header X-Forwarded-For %[var(txn.behind)] if ${behind}`,
    ...own.map((header) => `  http-request set-header ${header} if !${behind}`),
    ...own
      .slice(1)
      .map((header) => `  http-request set-header ${header} if !{ req.hdr(${header.split(' ')[0]}) -m found }`),
    realIp,
  ].join('\n')
}

const setting = (name: keyof typeof settingFields): string => `var(txn.settings),field(${settingFields[name]},/)`
const isSet = (name: keyof typeof settingFields): string =>
  `{ var(txn.settings) -m found } { ${setting(name)} -m int gt 0 }`

/**
 * As match.ts has it: the precise host, the wildcard, no host; with each the exact path, then the longest prefix. Most
 * requests name the host as the rules do, without a port and in lower case, and take the first of these alone.
 */
function renderLookups(folder: string): string {
  const host = 'req.hdr(host),field(1,:),lower'
  const end = pathEnd.replaceAll(/[^]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)
  const find = (key: string) => `http-request set-var(txn.route) ${key},map_beg(${mapFileOf(folder)})`
  const findOf = (from: string) => find(`${from},concat(,txn.path,/${end})`)
  const others = [
    'http-request set-var(txn.path) path',
    findOf(host),
    `http-request set-var(txn.wild) ${host},regsub(^[^.]+,*)`,
    findOf('var(txn.wild)'),
    findOf('str("")'),
  ]
  return [find(`base,concat(/${end})`), ...others.map((line) => `${line} if !{ var(txn.route) -m found }`)]
    .map((line) => `  ${line}`)
    .join('\n')
}

/** Most routes have none, and cost one condition. */
const hasLimit = isSet('bodyLimit')
const sayLength = 'return status 411 content-type text/plain string "say how long the body is\\n"'
const settingsRules = [
  `set-var(txn.settings) var(txn.route),field(${fields.settings},|) if { var(txn.route),field(${fields.settings},|) -m len gt 0 }`,
  `redirect scheme https code 308 if ${isSet('redirect')} !{ ssl_fc }`,
  `set-var(txn.limit) ${setting('bodyLimit')} if ${hasLimit}`,
  `deny deny_status 413 if ${hasLimit} { req.hdr(content-length),sub(txn.limit) -m int gt 0 }`,
  `${sayLength} if ${hasLimit} !{ req.hdr(content-length) -m found } { req.hdr(transfer-encoding) -m found }`,
  `${sayLength} if ${hasLimit} !{ req.hdr(content-length) -m found } !{ method GET HEAD OPTIONS DELETE TRACE }`,
]
  .map((rule) => `  http-request ${rule}`)
  .join('\n')

/** What a request was, where it went, and how long it took, in one line of words. */
const logFormat = [
  'access client=%ci:%cp proto=%HV tls=%sslv method=%HM host=%{+Q}[var(txn.host)] path=%HP status=%ST bytes=%B',
  `ingress=%[var(txn.route),field(${fields.ingress},|)] endpoint=%si:%sp queue_ms=%Tw connect_ms=%Tc response_ms=%Tr total_ms=%Ta`,
  'retries=%rc end=%ts',
].join(' ')

function renderBackends({ servers }: Layout, slotCount: number): string {
  return Array.from({ length: slotCount }, (_, slot) => {
    const name = nameOfSlot(slot)
    const lines = [...(servers.get(name) ?? [])].map(([server, at]) => `  server ${server} ${serverWords(at)}\n`)
    return `backend ${name} from routed\n${lines.join('')}`
  }).join('')
}

/** All files with their texts, but for those of certificates. */
export function renderFiles(settings: ProxySettings, layout: Layout, slotCount: number): ReadonlyMap<string, string> {
  const { folder } = settings
  return new Map([
    [mapFileOf(folder), renderMap(layout.map)],
    [certificateListOf(folder), renderCertificateList(folder, layout)],
    [configOf(folder), renderConfig(settings, layout, slotCount)],
  ])
}
