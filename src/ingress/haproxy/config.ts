// The files that HAProxy starts from. All of them follow from a layout, so that a start, a reload and the runtime API
// lead to the same.

import {
  fallbackKey,
  fields,
  type Layout,
  type MapName,
  mapNames,
  nowhere,
  serverWords,
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
}

export const socketOf = (folder: string): string => `${folder}/control`
export const pidFileOf = (folder: string): string => `${folder}/pid`
export const configOf = (folder: string): string => `${folder}/haproxy.cfg`
export const mapFileOf = (folder: string, name: MapName): string => `${folder}/${name}.map`
export const certificateFileOf = (folder: string, name: string): string => `${folder}/certificates/${name}`
export const certificateListOf = (folder: string): string => `${folder}/certificates.list`
/** No Secret is called that: an underscore comes after the namespace. */
export const defaultCertificateOf = (folder: string): string => certificateFileOf(folder, 'default.pem')

/** The text of each map's file. */
export const renderMap = (map: ReadonlyMap<string, string>): string =>
  [...map].map(([key, value]) => `${key} ${value}\n`).join('')

export const renderCertificateList = (folder: string, { certificates }: Layout): string =>
  [defaultCertificateOf(folder), ...[...certificates].map(([name, { hosts }]) => listLine(folder, name, hosts))].join(
    '\n',
  ) + '\n'

/** One line of the list of certificates: which names get it. */
export const listLine = (folder: string, name: string, hosts: readonly string[]): string =>
  `${certificateFileOf(folder, name)} [alpn h2,http/1.1] ${hosts.join(' ')}`

/** haproxy.cfg with so many back ends. */
export function renderConfig(settings: ProxySettings, layout: Layout, slotCount: number): string {
  const { folder, http, https, threads, accessLog } = settings
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
${accessLog ? `  log global\n  option dontlognull\n` : ''}
frontend web from base
  bind ${http}
  bind ${https} ssl crt-list ${certificateListOf(folder)} alpn h2,http/1.1
${accessLog ? `  log-format "${logFormat}"\n` : ''}  http-request set-var(txn.host) req.hdr(host),field(1,:),lower
  http-request set-var(txn.path) path
${renderLookups(folder)}
  http-request redirect scheme https code 308 if !{ ssl_fc } { ${field('redirect')} -m str 1 }
  http-request set-var(txn.limit) ${field('bodyLimit')}
  http-request deny deny_status 413 if { var(txn.limit) -m int gt 0 } { req.hdr(content-length),sub(txn.limit) -m int gt 0 }
  http-request return status 411 content-type text/plain string "say how long the body is\\n" if { var(txn.limit) -m int gt 0 } !{ req.hdr(content-length) -m found } { req.hdr(transfer-encoding) -m found }
  http-request return status 411 content-type text/plain string "say how long the body is\\n" if { var(txn.limit) -m int gt 0 } !{ req.hdr(content-length) -m found } !{ method GET HEAD OPTIONS DELETE TRACE }
  http-request disable-l7-retry if !{ method GET HEAD OPTIONS PUT DELETE TRACE }
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto http if !{ ssl_fc }
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-ID %[uuid()] if !{ req.hdr(x-request-id) -m found }
  use_backend %[var(txn.backend)] if { var(txn.backend) -m found }
  default_backend unmatched

backend unmatched from base
  http-request return status 404 content-type text/plain string "no Ingress is for this host and path\\n"

backend ${nowhere} from base

defaults routed from base
  balance leastconn
  http-request set-timeout server ${field('readTimeout')} if { ${field('readTimeout')} -m int gt 0 }
  http-request set-timeout tunnel ${field('tunnelTimeout')} if { ${field('tunnelTimeout')} -m int gt 0 }

${renderBackends(layout, slotCount)}`
}

const field = (name: keyof typeof fields): string => `var(txn.route),field(${fields[name]},|)`

/** As match.ts has it: the precise host, the wildcard, no host; with each the exact path, then the longest prefix. */
function renderLookups(folder: string): string {
  const found = '!{ var(txn.route) -m found }'
  const look = (key: string, by: string, name: MapName, when: string) =>
    `  http-request set-var(txn.route) ${key},map_${by}(${mapFileOf(folder, name)})${when}`
  const wild = `  http-request set-var(txn.wild) var(txn.host),regsub(^[^.]+,*) if ${found}`
  const lines = ['var(txn.host),', 'var(txn.wild),', 'str(""),'].flatMap((host) => [
    ...(host.includes('wild') ? [wild] : []),
    look(`${host}concat(,txn.path)`, 'str', 'exact', ` if ${found}`),
    look(`${host}concat(,txn.path,/)`, 'beg', 'prefix', ` if ${found}`),
  ])
  return [
    ...lines,
    look(`str(${fallbackKey})`, 'str', 'fallback', ` if ${found}`),
    `  http-request set-var(txn.backend) ${field('backend')} if { var(txn.route) -m found }`,
  ].join('\n')
}

/** What a request was, where it went, and how long it took, in one line of words. */
const logFormat = [
  'access client=%ci:%cp proto=%HV tls=%sslv method=%HM host=%[var(txn.host)] path=%HP status=%ST bytes=%B',
  `ingress=%[${field('ingress')}] endpoint=%si:%sp queue_ms=%Tw connect_ms=%Tc response_ms=%Tr total_ms=%Ta`,
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
    ...mapNames.map((name) => [mapFileOf(folder, name), renderMap(layout.maps[name])] as const),
    [certificateListOf(folder), renderCertificateList(folder, layout)],
    [configOf(folder), renderConfig(settings, layout, slotCount)],
  ])
}
