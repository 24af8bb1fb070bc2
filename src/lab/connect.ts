// effect: TCP connections, HTTP requests and DNS questions out of other network namespaces
// A socket belongs for life to the namespace in which it was made. So it is made there, and used from here.
import { request as httpRequest } from '#daemon/http.ts'
import { request as httpsRequest } from 'node:https'
import { isIP, isIPv6, Socket } from 'node:net'
import { Resolver } from 'node:dns/promises'
import { AF, SOCK, socket as makeSocket } from '#kernel/ffi.ts'
import { withNetns } from '#kernel/netns.ts'

/** A TCP connection made from the namespace at a path (undefined: here) to an address, not a name. */
export function connectFrom(
  netns: string | undefined,
  { host, port }: { readonly host: string; readonly port: number },
): Socket {
  const family = isIPv6(host) ? AF.inet6 : AF.inet
  const fd = withNetns(netns, () => makeSocket(family, SOCK.stream, 0))
  // Connecting in the same turn: before the event loop could find the socket unconnected.
  return new Socket({ fd }).connect({ host, port })
}

/** How a host finds names. */
export type NameService = {
  readonly servers: readonly string[]
  /** As in resolv.conf. */
  readonly search: readonly string[]
  readonly ndots: number
  /** As in /etc/hosts: known without asking. */
  readonly hosts: ReadonlyMap<string, string>
}

/** The first address of a name, asked from that namespace; throws the resolver's error (`ENOTFOUND`, `ETIMEOUT`). */
export async function resolveFrom(netns: string | undefined, name: string, service: NameService): Promise<string> {
  if (isIP(name) !== 0) return name
  const known = service.hosts.get(name)
  if (known !== undefined) return known
  if (service.servers.length === 0)
    throw Object.assign(new Error(`nobody to ask for the name ${name} here: give an address`), { code: 'ENOTFOUND' })
  let failure: unknown
  for (const candidate of candidates(name, service)) {
    const resolver = new Resolver({ timeout: 2000, tries: 1 })
    resolver.setServers([...service.servers])
    try {
      // The question is on its way when the call returns, so its socket was made inside.
      const [address] = await withNetns(netns, () => resolver.resolve4(candidate))
      if (address !== undefined) return address
    } catch (error) {
      failure = error
      if (!['ENOTFOUND', 'ENODATA'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
  throw failure
}

/** What a name is another name of, asked from that namespace; undefined where it is none. */
export async function resolveAliasFrom(
  netns: string | undefined,
  name: string,
  { servers }: NameService,
): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([...servers])
  const [alias] = await withNetns(netns, () => resolver.resolveCname(name))
  return alias
}

/** What a resolver asks for a name, in its order: resolv.conf(5). */
export function candidates(name: string, { search, ndots }: Pick<NameService, 'search' | 'ndots'>): readonly string[] {
  if (name.endsWith('.')) return [name]
  const searched = search.map((domain) => `${name}.${domain}`)
  return name.split('.').length - 1 >= ndots ? [name, ...searched] : [...searched, name]
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export type FetchOptions = {
  readonly netns: string | undefined
  readonly names: NameService
  readonly timeoutMs: number
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

/** One HTTP request from another namespace, on a connection of its own. Certificates are not checked: it is a probe. */
export async function fetchFrom(url: URL, options: FetchOptions): Promise<Answer> {
  const isTls = url.protocol === 'https:'
  const port = Number(url.port) || (isTls ? 443 : 80)
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const host = await resolveFrom(options.netns, name, options.names)
  const socket = connectFrom(options.netns, { host, port })
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(
      url,
      {
        method: options.method ?? 'GET',
        headers: { connection: 'close', 'user-agent': 'fairway', ...options.headers },
        rejectUnauthorized: false,
        ...(isTls ? { socket, servername: isIP(name) === 0 ? name : '' } : { createConnection: () => socket }),
        ...(options.signal && { signal: options.signal }),
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
        )
        response.on('error', reject)
      },
    )
    // The time limit of node:http begins only once there is a connection.
    const deadline = setTimeout(() => {
      reject(Object.assign(new Error(`no answer in ${options.timeoutMs} ms`), { code: 'ETIMEDOUT' }))
      request.destroy()
    }, options.timeoutMs)
    request.on('close', () => clearTimeout(deadline))
    request.on('error', reject)
    request.end(options.body)
  })
}
