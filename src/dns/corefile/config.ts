// From a Corefile to what the server does: every plugin and option that it knows, typed; every other one an error
// that names its line.

import type { Hosts } from '#dns/corefile/hosts.ts'
import { CorefileMistake, zonesIn, type ListenAddress } from '#dns/corefile/option.ts'
import { plugins, type DraftServer } from '#dns/corefile/plugins.ts'
import type { RewriteRule } from '#dns/corefile/rewrite.ts'
import { encodeName, normalName } from '#dns/wire/name.ts'
import { parseCorefile, type CorefileError, type ServerBlock } from '#dns/corefile/syntax.ts'

/** One server block: the zones that it answers, and by what. */
export type ServerConfig = {
  readonly zones: readonly string[]
  readonly port: number
  readonly bind: readonly string[]
  readonly errors: boolean
  readonly log: readonly LogConfig[]
  readonly health?: ListenAddress & { readonly lameduckMs: number }
  readonly ready?: ListenAddress
  readonly metrics?: ListenAddress
  readonly kubernetes?: KubernetesConfig
  readonly forward: readonly ForwardConfig[]
  readonly cache?: CacheConfig
  readonly loop: boolean
  readonly reload?: { readonly intervalMs: number; readonly jitterMs: number }
  readonly loadbalance: boolean
  readonly hosts?: Hosts
  readonly rewrite: readonly RewriteRule[]
}

/** Where a block listens; `addresses` are for those without `bind`. */
export const listensOn = ({ bind }: Pick<ServerConfig, 'bind'>, addresses: readonly string[]): readonly string[] =>
  bind.length > 0 ? bind : addresses

/** Which queries are logged; `denial` is NXDOMAIN and NODATA, `error` what is neither success nor denial. */
export type LogConfig = {
  readonly zones: readonly string[]
  readonly classes: readonly ('all' | 'success' | 'denial' | 'error')[]
}

export type KubernetesConfig = {
  /** the cluster's domain, then reverse zones */
  readonly zones: readonly string[]
  readonly ttl: number
  readonly pods: 'disabled' | 'insecure' | 'verified'
  readonly endpointPodNames: boolean
  readonly ignoreEmptyServices: boolean
  readonly fallthrough: readonly string[]
  /** the only ones that have names; empty: all */
  readonly namespaces: readonly string[]
  readonly labels?: string
  /** how long to wait for the first lists before names are answered */
  readonly startupTimeoutMs: number
  readonly kubeconfig?: { readonly file: string; readonly context?: string }
}

export type ForwardConfig = {
  readonly from: string
  readonly to: readonly string[]
  readonly except: readonly string[]
  /** how upstreams are asked first: a truncated answer by UDP is asked for again by TCP in any case */
  readonly transport: 'as-asked' | 'udp' | 'tcp'
  readonly policy: 'random' | 'round_robin' | 'sequential'
  readonly maxFails: number
  /** connections to upstreams are closed when unused for so long */
  readonly expireMs: number
  readonly healthCheckMs: number
  readonly maxConcurrent: number
}

export type CacheConfig = {
  readonly zones: readonly string[]
  readonly success: CacheSide
  readonly denial: CacheSide
  readonly serveStaleMs: number
  readonly prefetch?: { readonly amount: number; readonly durationMs: number; readonly percentage: number }
  /** zones whose answers are not kept */
  readonly disableSuccess: readonly string[]
  readonly disableDenial: readonly string[]
  readonly servfailMs: number
  /** times to live are not counted down */
  readonly keepTtl: boolean
}
export type CacheSide = { readonly capacity: number; readonly maxTtl: number; readonly minTtl: number }

/** The servers that a Corefile describes, or the first thing wrong with it. */
export function readCorefile(
  text: string,
  environment: Readonly<Record<string, string>> = {},
): { readonly servers: readonly ServerConfig[] } | { readonly error: CorefileError } {
  const parsed = parseCorefile(text, environment)
  if ('error' in parsed) return parsed
  try {
    const servers = parsed.blocks.map(readServer)
    const taken = new Set<string>()
    for (const [index, server] of servers.entries())
      for (const zone of server.zones)
        for (const address of server.bind.length > 0 ? server.bind : ['']) {
          const key = `${zone === '' ? '.' : zone}:${server.port}`
          if (taken.has(`${key} ${address}`))
            throw new CorefileMistake(parsed.blocks[index]!.line, `${key} is already served by another block`)
          taken.add(`${key} ${address}`)
        }
    return { servers }
  } catch (error) {
    if (error instanceof CorefileMistake) return { error: { line: error.line, message: error.message } }
    throw error
  }
}

/** Plugins that may stand in a block more than once. */
const repeated: readonly string[] = ['bind', 'forward', 'log', 'rewrite']

function readServer(block: ServerBlock): ServerConfig {
  const addresses = block.addresses.map((address) => readAddress(address, block.line))
  const draft: DraftServer = {
    zones: addresses.flatMap((address) => address.zones),
    port: addresses[0]!.port,
    bind: [],
    errors: false,
    log: [],
    forward: [],
    loop: false,
    loadbalance: false,
    rewrite: [],
  }
  if (addresses.some((address) => address.port !== draft.port))
    throw new CorefileMistake(block.line, 'the zones of one block have different ports: write one block for each port')
  const seen = new Set<string>()
  for (const directive of block.directives) {
    const plugin = plugins[directive.name]
    if (plugin === undefined)
      throw new CorefileMistake(
        directive.line,
        `unknown plugin ${JSON.stringify(directive.name)}: known are ${Object.keys(plugins).join(', ')}`,
      )
    if (seen.has(directive.name) && !repeated.includes(directive.name))
      throw new CorefileMistake(directive.line, `${directive.name} stands twice in one block`)
    seen.add(directive.name)
    plugin(draft, directive)
  }
  return draft
}

function readAddress(address: string, line: number): { readonly zones: string[]; readonly port: number } {
  const match = /^(?:([a-z]+):\/\/)?(.*?)(?::(\d+))?$/.exec(address)!
  const [, scheme, host = '', port] = match
  if (scheme !== undefined && scheme !== 'dns')
    throw new CorefileMistake(line, `${scheme}:// is not served: only dns:// is`)
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw new CorefileMistake(line, `${port} is no port`)
  if (encodeName(normalName(host)) === undefined || /[()]/.test(host))
    throw new CorefileMistake(line, `${JSON.stringify(address)} is no zone, as "." and "example.org" are`)
  return { zones: zonesIn(host === '' ? '.' : host), port: Number(port ?? 53) }
}
