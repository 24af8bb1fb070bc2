// The files that HAProxy starts from. All of them follow from a layout, so that a start, a reload and the runtime API
// lead to the same.

import { renderCanaries } from '#ingress/haproxy/canaries.ts'
import { fields } from '#ingress/haproxy/fields.ts'
import { renderHtpasswd } from '#ingress/haproxy/htpasswd.ts'
import { type Basis, certificateName, type Layout, nowhere, pathEnd, serverWords } from '#ingress/haproxy/layout.ts'
import { hasPatterns } from '#ingress/haproxy/patterns.ts'
import { rulesOf, usersSection, verifiedTable } from '#ingress/haproxy/rules.ts'
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
export const patternFileOf = (folder: string): string => `${folder}/patterns.map`
const htpasswdFileOf = (folder: string): string => `${folder}/htpasswd.lua`
export const certificateFileOf = (folder: string, name: string): string => `${folder}/certificates/${name}`
export const certificateListOf = (folder: string): string => `${folder}/certificates.list`
/** No Secret is called that: an underscore comes after the namespace. */
export const defaultCertificateOf = (folder: string): string => certificateFileOf(folder, 'default.pem')

/** The text of a map's file. */
export const renderMap = (map: ReadonlyMap<string, string>): string =>
  [...map].map(([key, value]) => `${key} ${value}\n`).join('')

const renderCertificateList = (folder: string, { certificates }: Layout): string =>
  [
    defaultCertificateOf(folder),
    ...[...certificates].map(([key, { hosts }]) => listLine(folder, certificateName(key, hosts), hosts)),
    '',
  ].join('\n')

/** One line of the list of certificates: which names get it. */
export const listLine = (folder: string, name: string, hosts: readonly string[]): string =>
  `${certificateFileOf(folder, name)} [alpn h2,http/1.1] ${hosts.join(' ')}`

/** haproxy.cfg with all back ends of a basis, also the spare ones. */
function renderConfig(settings: ProxySettings, layout: Layout, basis: Basis): string {
  const { folder, http, https, threads, accessLog, trustedProxies } = settings
  return `global
  stats socket ${socketOf(folder)} mode 600 level admin expose-fd listeners
  stats timeout 1d
  nbthread ${threads}
  ssl-default-bind-options ssl-min-ver TLSv1.2
${renderHtpasswd(basis.slots.settings) === undefined ? '' : `.if feature(LUA)\n  lua-load ${htpasswdFileOf(folder)}\n.endif\n`}${accessLog ? '  log stdout format raw local0\n' : ''}
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
${renderLookups(folder, basis.patternHosts.size > 0)}
  http-request disable-l7-retry if !{ method GET HEAD OPTIONS PUT DELETE TRACE }
  http-request set-header X-Request-ID %[uuid()] if !{ req.hdr(x-request-id) -m found }
${basis.canaryRules === undefined ? '' : renderCanaries(basis.canaryRules)}  use_backend %[var(txn.route),field(${fields.backend},|)] if { var(txn.route) -m found }
  default_backend unmatched

backend unmatched from base
  http-request return status 404 content-type text/plain string "no Ingress is for this host and path\\n"

backend ${nowhere} from base

defaults routed from base
  balance leastconn

${renderUsers(basis)}${renderBackends(layout, basis)}`
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

/**
 * As match.ts has it: the precise host, the wildcard, no host; with each the exact path, then the longest prefix. Most
 * requests name the host as the rules do, without a port and in lower case, and take the first of these alone.
 */
function renderLookups(folder: string, withPatterns: boolean): string {
  const host = 'req.hdr(host),field(1,:),lower'
  const end = pathEnd.replaceAll(/[^]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)
  const find = (key: string) => `set-var(txn.route) ${key},map_beg(${mapFileOf(folder)})`
  const isMissing = 'if !{ var(txn.route) -m found }'
  const hasList = `if { var(txn.route) -m str ${hasPatterns} }`
  const findOf = (from: string) => `${find(`${from},concat(,txn.path,/${end})`)} ${isMissing}`
  return [
    find(`base,concat(/${end})`),
    `set-var(txn.path) path ${isMissing}`,
    findOf(host),
    `set-var(txn.wild) ${host},regsub(^[^.]+,*) ${isMissing}`,
    findOf('var(txn.wild)'),
    findOf('str("")'),
    // Where nothing in the list matches, the variable stays.
    ...(withPatterns
      ? [
          `set-var(txn.path) path ${hasList}`,
          `set-var(txn.route) ${host},concat(,txn.path),map_regm(${patternFileOf(folder)}) ${hasList}`,
          `unset-var(txn.route) ${hasList}`,
        ]
      : []),
  ]
    .map((line) => `  http-request ${line}`)
    .join('\n')
}

/** What a request was, where it went, and how long it took, in one line of words. */
const logFormat = [
  'access client=%ci:%cp proto=%HV tls=%sslv method=%HM host=%{+Q}[var(txn.host)] path=%HP status=%ST bytes=%B',
  `ingress=%[var(txn.route),field(${fields.ingress},|)] endpoint=%si:%sp queue_ms=%Tw connect_ms=%Tc response_ms=%Tr total_ms=%Ta`,
  'retries=%rc end=%ts',
].join(' ')

/** Those who may come in, each list once, and the table of whose password was right. */
function renderUsers({ slots }: Basis): string {
  const sections = new Set(slots.settings.flatMap((settings) => usersSection(settings) ?? []))
  if (sections.size === 0) return ''
  const table = `backend ${verifiedTable} from base\n  stick-table type binary len 32 size 100k expire 10m store gpt0\n`
  return [table, ...sections].join('\n') + '\n'
}

function renderBackends({ servers }: Layout, { slots }: Basis): string {
  return slots.settings
    .map((settings, slot) => {
      const name = nameOfSlot(slot)
      const own = [...(servers.get(name) ?? [])].map(([server, at]) => `server ${server} ${serverWords(at)}`)
      return [`backend ${name} from routed`, ...[...rulesOf(settings), ...own].map((line) => `  ${line}`), ''].join(
        '\n',
      )
    })
    .join('')
}

/** All files with their texts, but for those of certificates. */
export function renderFiles(settings: ProxySettings, layout: Layout, basis: Basis): ReadonlyMap<string, string> {
  const { folder } = settings
  return new Map([
    [mapFileOf(folder), renderMap(layout.map)],
    [patternFileOf(folder), renderMap(layout.patterns)],
    [certificateListOf(folder), renderCertificateList(folder, layout)],
    [configOf(folder), renderConfig(settings, layout, basis)],
    [htpasswdFileOf(folder), renderHtpasswd(basis.slots.settings) ?? ''],
  ])
}
