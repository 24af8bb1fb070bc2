// From a Corefile to what the server does: every plugin and option that it knows, typed; every other one an error
// that names its line.

import { parseHosts, type Hosts } from '#dns/corefile/hosts.ts'
import { parseRewrite, type RewriteRule } from '#dns/corefile/rewrite.ts'
import { parseCorefile, type CorefileError, type Directive, type ServerBlock } from '#dns/corefile/syntax.ts'
import { normalName } from '#dns/wire/name.ts'
import { parseCidr } from '#lib/cidr.ts'
import { parseDuration } from '#lib/duration.ts'

export type ListenAddress = { readonly host: string; readonly port: number }

/** One server block: the zones that it answers, and by what. */
export type ServerConfig = {
  readonly zones: readonly string[]
  readonly port: number
  readonly bind: readonly string[]
  readonly errors: boolean
  readonly log: boolean
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

export type KubernetesConfig = {
  /** the cluster's domain, then reverse zones */
  readonly zones: readonly string[]
  readonly ttl: number
  readonly pods: 'disabled' | 'insecure' | 'verified'
  readonly endpointPodNames: boolean
  readonly ignoreEmptyServices: boolean
  readonly fallthrough: readonly string[]
  readonly namespaces: readonly string[]
  readonly labels?: string
  readonly startupTimeoutMs: number
  readonly kubeconfig?: string
}

export type ForwardConfig = {
  readonly from: string
  readonly to: readonly string[]
  readonly except: readonly string[]
  readonly forceTcp: boolean
  readonly preferUdp: boolean
  readonly policy: 'random' | 'round_robin' | 'sequential'
  readonly maxFails: number
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
}
export type CacheSide = { readonly capacity: number; readonly maxTtl: number; readonly minTtl: number }

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Draft = Mutable<ServerConfig> & { forward: ForwardConfig[]; rewrite: RewriteRule[] }

class Wrong extends Error {
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** The servers that a Corefile describes, or the first thing wrong with it. `files` reads what `hosts FILE` names. */
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
      for (const zone of server.zones) {
        const key = `${zone === '' ? '.' : zone}:${server.port}`
        if (taken.has(key)) throw new Wrong(parsed.blocks[index]!.line, `${key} is already served by another block`)
        taken.add(key)
      }
    return { servers }
  } catch (error) {
    if (error instanceof Wrong) return { error: { line: error.line, message: error.message } }
    throw error
  }
}

function readServer(block: ServerBlock): ServerConfig {
  const addresses = block.addresses.map((address) => readAddress(address, block.line))
  const draft: Draft = {
    zones: addresses.flatMap((address) => address.zones),
    port: addresses[0]!.port,
    bind: [],
    errors: false,
    log: false,
    forward: [],
    loop: false,
    loadbalance: false,
    rewrite: [],
  }
  if (addresses.some((address) => address.port !== draft.port))
    throw new Wrong(block.line, 'the zones of one block have different ports: write one block for each port')
  for (const directive of block.directives) {
    const plugin = plugins[directive.name]
    if (plugin === undefined)
      throw new Wrong(
        directive.line,
        `unknown plugin ${JSON.stringify(directive.name)}: known are ${Object.keys(plugins).join(', ')}`,
      )
    plugin(draft, directive)
  }
  return draft
}

function readAddress(address: string, line: number): { readonly zones: string[]; readonly port: number } {
  const match = /^(?:([a-z]+):\/\/)?(.*?)(?::(\d+))?$/.exec(address)!
  const [, scheme, host = '', port] = match
  if (scheme !== undefined && scheme !== 'dns') throw new Wrong(line, `${scheme}:// is not served: only dns:// is`)
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw new Wrong(line, `${port} is no port`)
  return { zones: zonesOf(host === '' ? '.' : host), port: Number(port ?? 53) }
}

/** A zone as written: a name, or a network for its reverse zone. */
function zonesOf(text: string): string[] {
  const cidr = text.includes('/') ? parseCidr(text) : undefined
  if (cidr === undefined) return [normalName(text)]
  if (cidr.base.length === 4)
    return [
      `${Array.from(cidr.base.slice(0, Math.floor(cidr.prefix / 8)))
        .toReversed()
        .join('.')}.in-addr.arpa`,
    ]
  const nibbles = [...cidr.base].flatMap((byte) => [byte >> 4, byte & 15]).slice(0, Math.floor(cidr.prefix / 4))
  return [
    nibbles
      .toReversed()
      .map((nibble) => nibble.toString(16))
      .join('.') + '.ip6.arpa',
  ]
}

const plugins: Readonly<Record<string, (draft: Draft, directive: Directive) => void>> = {
  errors: (draft) => void (draft.errors = true),
  log: (draft) => void (draft.log = true),
  loop: (draft) => void (draft.loop = true),
  loadbalance(draft, directive) {
    const [policy = 'round_robin'] = directive.args
    if (policy !== 'round_robin') throw new Wrong(directive.line, `loadbalance knows only round_robin, not ${policy}`)
    draft.loadbalance = true
  },
  bind: (draft, directive) => void (draft.bind = [...draft.bind, ...directive.args]),
  health(draft, directive) {
    const lameduckMs = optionsOf(directive, { lameduck: (o) => duration(o) }).lameduck ?? 0
    draft.health = { ...listenAt(directive, ':8080'), lameduckMs }
  },
  ready: (draft, directive) => void (draft.ready = listenAt(directive, ':8181')),
  prometheus: (draft, directive) => void (draft.metrics = listenAt(directive, 'localhost:9153')),
  reload(draft, directive) {
    const [interval, jitter] = directive.args
    const intervalMs = interval === undefined ? 30_000 : durationOf(interval, directive.line)
    if (intervalMs < 2000) throw new Wrong(directive.line, 'reload cannot look more often than every 2s')
    const jitterMs = jitter === undefined ? Math.min(15_000, intervalMs / 2) : durationOf(jitter, directive.line)
    draft.reload = { intervalMs, jitterMs }
  },
  kubernetes(draft, directive) {
    if (draft.kubernetes !== undefined) throw new Wrong(directive.line, 'kubernetes stands twice in one block')
    draft.kubernetes = readKubernetes(draft, directive)
  },
  forward: (draft, directive) => void draft.forward.push(readForward(directive)),
  cache: (draft, directive) => void (draft.cache = readCache(draft, directive)),
  hosts(draft, directive) {
    const hosts = parseHosts(directive)
    if ('error' in hosts) throw new Wrong(hosts.error.line, hosts.error.message)
    draft.hosts = hosts.hosts
  },
  rewrite(draft, directive) {
    const rule = parseRewrite(directive)
    if ('error' in rule) throw new Wrong(rule.error.line, rule.error.message)
    draft.rewrite.push(rule.rule)
  },
}

function readKubernetes(draft: Draft, directive: Directive): KubernetesConfig {
  const zones = directive.args.length === 0 ? draft.zones : directive.args.flatMap(zonesOf)
  const found = optionsOf(directive, {
    ttl: (o) => integer(o, 0, 3600),
    pods: (o) => choice(o, ['disabled', 'insecure', 'verified'] as const),
    endpoint_pod_names: () => true,
    ignore: (o) => choice(o, ['empty_service'] as const),
    fallthrough: (o) => (o.args.length === 0 ? [''] : o.args.flatMap(zonesOf)),
    namespaces: (o) => o.args,
    labels: (o) => o.args.join(' '),
    startup_timeout: (o) => duration(o),
    kubeconfig: (o) => o.args[0] ?? '',
  })
  if (!zones.some((zone) => !isReverse(zone)))
    throw new Wrong(directive.line, 'kubernetes needs a zone that is no reverse zone')
  return {
    zones,
    ttl: found.ttl ?? 5,
    pods: found.pods ?? 'disabled',
    endpointPodNames: found.endpoint_pod_names ?? false,
    ignoreEmptyServices: found.ignore !== undefined,
    fallthrough: found.fallthrough ?? [],
    namespaces: found.namespaces ?? [],
    startupTimeoutMs: found.startup_timeout ?? 5000,
    ...(found.labels === undefined ? {} : { labels: found.labels }),
    ...(found.kubeconfig === undefined ? {} : { kubeconfig: found.kubeconfig }),
  }
}

export const isReverse = (zone: string): boolean => /(^|\.)(in-addr|ip6)\.arpa$/.test(zone)

function readForward(directive: Directive): ForwardConfig {
  const [from, ...to] = directive.args
  if (from === undefined || to.length === 0)
    throw new Wrong(directive.line, 'forward needs a zone and at least one upstream: forward . 9.9.9.9')
  if (to.length > 15) throw new Wrong(directive.line, 'forward takes at most 15 upstreams')
  const found = optionsOf(directive, {
    except: (o) => o.args.flatMap(zonesOf),
    force_tcp: () => true,
    prefer_udp: () => true,
    policy: (o) => choice(o, ['random', 'round_robin', 'sequential'] as const),
    max_fails: (o) => integer(o, 0, 1_000_000),
    expire: (o) => duration(o),
    health_check: (o) => duration(o),
    max_concurrent: (o) => integer(o, 0, 10_000_000),
  })
  return {
    from: zonesOf(from)[0]!,
    to,
    except: found.except ?? [],
    forceTcp: found.force_tcp ?? false,
    preferUdp: found.prefer_udp ?? false,
    policy: found.policy ?? 'random',
    maxFails: found.max_fails ?? 2,
    expireMs: found.expire ?? 10_000,
    healthCheckMs: found.health_check ?? 500,
    maxConcurrent: found.max_concurrent ?? 0,
  }
}

function readCache(draft: Draft, directive: Directive): CacheConfig {
  const [ttl, ...zones] = directive.args
  const isTtl = ttl !== undefined && /^\d+$/.test(ttl)
  const most = isTtl ? Number(ttl) : undefined
  const named = isTtl ? zones : directive.args
  const side = (o: Directive, maxTtl: number): CacheSide => ({
    capacity: Number(o.args[0] ?? 9984),
    maxTtl: Number(o.args[1] ?? maxTtl),
    minTtl: Number(o.args[2] ?? 5),
  })
  const disabled = { success: [] as string[], denial: [] as string[] }
  const found = optionsOf(directive, {
    success: (o) => side(o, most ?? 3600),
    denial: (o) => side(o, most ?? 1800),
    prefetch: (o) => ({
      amount: Number(o.args[0] ?? 0),
      durationMs: o.args[1] === undefined ? 60_000 : durationOf(o.args[1], o.line),
      percentage: Number((o.args[2] ?? '10%').replace('%', '')),
    }),
    serve_stale: (o) => (o.args[0] === undefined ? 3_600_000 : durationOf(o.args[0], o.line)),
    servfail: (o) => duration(o),
    disable(o) {
      const [which, ...off] = o.args
      if (which !== 'success' && which !== 'denial')
        throw new Wrong(o.line, 'disable takes success or denial, then zones')
      disabled[which].push(...(off.length === 0 ? [''] : off.flatMap(zonesOf)))
      return true
    },
    keepttl: () => true,
  })
  const fallback = (maxTtl: number): CacheSide => ({ capacity: 9984, maxTtl, minTtl: 5 })
  return {
    zones: named.length === 0 ? draft.zones : named.flatMap(zonesOf),
    success: found.success ?? fallback(most ?? 3600),
    denial: found.denial ?? fallback(most ?? 1800),
    serveStaleMs: found.serve_stale ?? 0,
    ...(found.prefetch === undefined ? {} : { prefetch: found.prefetch }),
    disableSuccess: disabled.success,
    disableDenial: disabled.denial,
    servfailMs: found.servfail ?? 5000,
  }
}

function optionsOf<T extends Record<string, (option: Directive) => unknown>>(
  directive: Directive,
  known: T,
): { [K in keyof T]?: ReturnType<T[K]> } {
  const found: Record<string, unknown> = {}
  for (const option of directive.options) {
    const read = known[option.name]
    if (read === undefined)
      throw new Wrong(
        option.line,
        `unknown option ${JSON.stringify(option.name)} of ${directive.name}: known are ${Object.keys(known).join(', ')}`,
      )
    found[option.name] = read(option)
  }
  return found as { [K in keyof T]?: ReturnType<T[K]> }
}

function listenAt(directive: Directive, fallback: string): ListenAddress {
  const text = directive.args[0] ?? fallback
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (at === -1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Wrong(directive.line, `${directive.name} takes ADDRESS:PORT, not ${JSON.stringify(text)}`)
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port }
}

function choice<const V extends readonly string[]>(option: Directive, values: V): V[number] {
  const [value] = option.args
  if (value === undefined || !values.includes(value))
    throw new Wrong(option.line, `${option.name} is one of ${values.join(', ')}`)
  return value
}

function integer(option: Directive, least: number, most: number): number {
  const value = Number(option.args[0])
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Wrong(option.line, `${option.name} is a whole number from ${least} to ${most}`)
  return value
}

const duration = (option: Directive): number => durationOf(option.args[0] ?? '', option.line)

function durationOf(text: string, line: number): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new Wrong(line, `${JSON.stringify(text)} is no duration, as 5s or 1m30s are`)
  return ms
}
