// Whom a probe or a hook asks: ports by number or name, hosts, paths and headers of an HTTP request, as kubelet makes it.

import type { Container } from '#api/core.ts'
import type { Typed } from '#api/schema/schema.ts'
import { kubernetesVersion } from '#daemon/version.ts'

export type HttpGet = Typed<'core', 'HTTPGetAction'>

export type HttpTarget = {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  /** with the query */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** A port by number, or by the name that the container gives it; undefined where it has none of that name. */
export function resolvePort(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return isPort(port) ? port : undefined
  const named = container.ports?.find(({ name }) => name === port)?.containerPort
  if (named !== undefined) return named
  const number = Number(port)
  return isPort(number) ? number : undefined
}

const isPort = (port: number) => Number.isInteger(port) && port > 0 && port < 65_536

/** What to ask, or a text that says why that cannot be said. `purpose` stands in the User-Agent. */
export function httpTarget(
  action: HttpGet,
  container: Container,
  podIp: string,
  purpose: 'probe' | 'lifecycle',
): HttpTarget | string {
  const port = resolvePort(action.port, container)
  if (port === undefined) return `couldn't find port: ${JSON.stringify(action.port)} in container ${container.name}`
  const given = (action.httpHeaders ?? []).map(({ name, value }) => [name, value] as const)
  const has = (header: string) => given.some(([name]) => name.toLowerCase() === header)
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const path = action.path ?? '/'
  return {
    scheme: action.scheme?.toLowerCase() === 'https' ? 'https' : 'http',
    host: action.host || podIp,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: [
      ...(has('host') ? [] : [['Host', hostPort(action.host || podIp, port)] as const]),
      ...(has('user-agent') ? [] : [['User-Agent', `kube-${purpose}/${major}.${minor}`] as const]),
      ...(has('accept') ? [] : [['Accept', '*/*'] as const]),
      // An empty Accept takes the header away.
      ...given.filter(([name, value]) => name.toLowerCase() !== 'accept' || value !== ''),
    ],
  }
}

const inBrackets = (host: string) => (host.includes(':') ? `[${host}]` : host)
export const hostPort = (host: string, port: number): string => `${inBrackets(host)}:${port}`
export const urlOf = ({ scheme, host, port, path }: HttpTarget): string => `${scheme}://${hostPort(host, port)}${path}`

/** A failed connection in the words that kubelet's events have. */
export function explainDial(host: string, port: number, code: string | undefined): string {
  const at = `dial tcp ${hostPort(host, port)}`
  const texts: Record<string, string> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
    ECONNRESET: 'read: connection reset by peer',
  }
  return `${at}: ${texts[code ?? ''] ?? `connect: ${code ?? 'failed'}`}`
}
