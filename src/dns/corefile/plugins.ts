// What each plugin's lines say.

import type {
  CacheConfig,
  CacheSide,
  ForwardConfig,
  KubernetesConfig,
  LogConfig,
  ServerConfig,
} from '#dns/corefile/config.ts'
import { parseHosts } from '#dns/corefile/hosts.ts'
import {
  choiceOf,
  CorefileMistake,
  durationIn,
  durationOf,
  integerIn,
  integerOf,
  isReverse,
  listenAt,
  optionsOf,
  presenceOf,
  takesAtMost,
  wordsOf,
  zonesIn,
  zonesOf,
} from '#dns/corefile/option.ts'
import { parseRewrite, type RewriteRule } from '#dns/corefile/rewrite.ts'
import type { Directive } from '#dns/corefile/syntax.ts'
import { isValidIp } from '#lib/ip.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type DraftServer = Mutable<ServerConfig> & { forward: ForwardConfig[]; rewrite: RewriteRule[] }

/** Each puts what a directive says into the draft, or throws a CorefileMistake. */
export const plugins: Readonly<Record<string, (draft: DraftServer, directive: Directive) => void>> = {
  errors: (draft, directive) => void (draft.errors = alone(directive)),
  log: (draft, directive) => void (draft.log = [...draft.log, readLog(draft, directive)]),
  loop: (draft, directive) => void (draft.loop = alone(directive)),
  loadbalance(draft, directive) {
    optionsOf(directive, {})
    takesAtMost(directive, 1)
    const [policy = 'round_robin'] = directive.args
    if (policy !== 'round_robin')
      throw new CorefileMistake(directive.line, `loadbalance knows only round_robin, not ${policy}`)
    draft.loadbalance = true
  },
  bind(draft, directive) {
    optionsOf(directive, {})
    const wrong = directive.args.find((address) => !isValidIp(address))
    if (wrong !== undefined || directive.args.length === 0)
      throw new CorefileMistake(
        directive.line,
        `bind takes addresses, as 10.0.0.1 or ::1, not ${JSON.stringify(wrong ?? '')}`,
      )
    draft.bind = [...draft.bind, ...directive.args]
  },
  health(draft, directive) {
    const lameduckMs = optionsOf(directive, { lameduck: durationOf }).lameduck ?? 0
    draft.health = { ...listenAt(directive, ':8080'), lameduckMs }
  },
  ready(draft, directive) {
    optionsOf(directive, {})
    draft.ready = listenAt(directive, ':8181')
  },
  prometheus(draft, directive) {
    optionsOf(directive, {})
    draft.metrics = listenAt(directive, 'localhost:9153')
  },
  reload(draft, directive) {
    optionsOf(directive, {})
    takesAtMost(directive, 2)
    const [interval = '30s', jitter] = directive.args
    const intervalMs = durationIn(directive, interval)
    if (intervalMs < 2000) throw new CorefileMistake(directive.line, 'reload cannot look more often than every 2s')
    const jitterMs = jitter === undefined ? Math.min(15_000, intervalMs / 2) : durationIn(directive, jitter)
    draft.reload = { intervalMs, jitterMs }
  },
  kubernetes(draft, directive) {
    draft.kubernetes = readKubernetes(draft, directive)
  },
  forward: (draft, directive) => void draft.forward.push(readForward(directive)),
  cache: (draft, directive) => void (draft.cache = readCache(draft, directive)),
  hosts(draft, directive) {
    const hosts = parseHosts(directive)
    if ('error' in hosts) throw new CorefileMistake(hosts.error.line, hosts.error.message)
    draft.hosts = hosts.hosts
  },
  rewrite(draft, directive) {
    optionsOf(directive, {})
    const rule = parseRewrite(directive)
    if ('error' in rule) throw new CorefileMistake(rule.error.line, rule.error.message)
    draft.rewrite.push(rule.rule)
  },
}

function alone(directive: Directive): true {
  optionsOf(directive, {})
  return presenceOf(directive)
}

function readLog(draft: DraftServer, directive: Directive): LogConfig {
  const format = directive.args.find((word) => word.includes('{'))
  if (format !== undefined)
    throw new CorefileMistake(directive.line, `log has one format, which ${JSON.stringify(format)} cannot change`)
  const classes = ['all', 'success', 'denial', 'error'] as const
  const found = optionsOf(directive, {
    class: (o) => o.args.map((word) => choiceOf({ ...o, args: [word] }, classes)),
  })
  return {
    zones: directive.args.length === 0 ? draft.zones : directive.args.flatMap(zonesIn),
    classes: found.class ?? ['all'],
  }
}

function readKubernetes(draft: DraftServer, directive: Directive): KubernetesConfig {
  const zones = directive.args.length === 0 ? draft.zones : directive.args.flatMap(zonesIn)
  const found = optionsOf(directive, {
    ttl: (o) => integerOf(o, 0, 3600),
    pods: (o) => choiceOf(o, ['disabled', 'insecure', 'verified'] as const),
    endpoint_pod_names: presenceOf,
    ignore: (o) => choiceOf(o, ['empty_service'] as const),
    fallthrough: zonesOf,
    namespaces: wordsOf,
    labels: (o) => wordsOf(o).join(' '),
    startup_timeout: durationOf,
    kubeconfig(o) {
      takesAtMost(o, 2)
      const [file, context] = o.args
      if (file === undefined) throw new CorefileMistake(o.line, 'kubeconfig takes a file, and a context if you like')
      return { file, ...(context === undefined ? {} : { context }) }
    },
  })
  if (!zones.some((zone) => !isReverse(zone)))
    throw new CorefileMistake(directive.line, 'kubernetes needs a zone that is no reverse zone')
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

function readForward(directive: Directive): ForwardConfig {
  const [from, ...to] = directive.args
  if (from === undefined || to.length === 0)
    throw new CorefileMistake(directive.line, 'forward needs a zone and at least one upstream: forward . 9.9.9.9')
  const wrong = to.find((upstream) => !isUpstream(upstream))
  if (wrong !== undefined)
    throw new CorefileMistake(
      directive.line,
      `forward asks servers by their address, with a port if you like, and those of a file as /etc/resolv.conf, not ${JSON.stringify(wrong)}`,
    )
  if (to.length > 15) throw new CorefileMistake(directive.line, 'forward takes at most 15 upstreams')
  const found = optionsOf(directive, {
    except: (o) => o.args.flatMap(zonesIn),
    force_tcp: presenceOf,
    prefer_udp: presenceOf,
    policy: (o) => choiceOf(o, ['random', 'round_robin', 'sequential'] as const),
    max_fails: (o) => integerOf(o, 0, 1_000_000),
    expire: durationOf,
    health_check: durationOf,
    max_concurrent: (o) => integerOf(o, 0, 10_000_000),
  })
  return {
    from: zonesIn(from)[0]!,
    to,
    except: found.except ?? [],
    transport: found.force_tcp ? 'tcp' : found.prefer_udp ? 'udp' : 'as-asked',
    policy: found.policy ?? 'random',
    maxFails: found.max_fails ?? 2,
    expireMs: found.expire ?? 10_000,
    healthCheckMs: found.health_check ?? 500,
    maxConcurrent: found.max_concurrent ?? 0,
  }
}

/** `10.0.0.1`, `10.0.0.1:5353`, `[2001:db8::1]:53`, each with `dns://` before it if one likes; or a file. */
function isUpstream(text: string): boolean {
  if (text.startsWith('/')) return true
  const bare = text.replace(/^dns:\/\//, '')
  const match = /^\[(.+)\](?::(\d+))?$|^([^:]+):(\d+)$/.exec(bare)
  const port = Number(match?.[2] ?? match?.[4] ?? 53)
  return isValidIp(match?.[1] ?? match?.[3] ?? bare) && port > 0 && port < 65_536
}

const mostTtl = 604_800

function readCache(draft: DraftServer, directive: Directive): CacheConfig {
  const [ttl, ...zones] = directive.args
  const isTtl = ttl !== undefined && /^\d+$/.test(ttl)
  const most = isTtl ? integerIn(directive, ttl, 1, mostTtl) : undefined
  const named = isTtl ? zones : directive.args
  const disabled = { success: [] as string[], denial: [] as string[] }
  const found = optionsOf(directive, {
    success: (o) => readSide(o, most ?? 3600),
    denial: (o) => readSide(o, most ?? 1800),
    prefetch: (o) => {
      takesAtMost(o, 3)
      const [amount = '', duration = '1m', percentage = '10%'] = o.args
      return {
        amount: integerIn(o, amount, 0, 1_000_000),
        durationMs: durationIn(o, duration),
        percentage: integerIn(o, percentage.replace(/%$/, ''), 10, 90),
      }
    },
    serve_stale: (o) => (o.args.length === 0 ? 3_600_000 : durationOf(o)),
    servfail: durationOf,
    disable(o) {
      const [which, ...off] = o.args
      if (which !== 'success' && which !== 'denial')
        throw new CorefileMistake(o.line, 'disable takes success or denial, then zones')
      disabled[which].push(...(off.length === 0 ? [''] : off.flatMap(zonesIn)))
      return true
    },
    keepttl: presenceOf,
  })
  const fallback = (maxTtl: number): CacheSide => ({ capacity: 9984, maxTtl, minTtl: 5 })
  return {
    zones: named.length === 0 ? draft.zones : named.flatMap(zonesIn),
    success: found.success ?? fallback(most ?? 3600),
    denial: found.denial ?? fallback(most ?? 1800),
    serveStaleMs: found.serve_stale ?? 0,
    ...(found.prefetch === undefined ? {} : { prefetch: found.prefetch }),
    disableSuccess: disabled.success,
    disableDenial: disabled.denial,
    servfailMs: Math.min(found.servfail ?? 5000, 300_000),
    keepTtl: found.keepttl ?? false,
  }
}

function readSide(o: Directive, mostSeconds: number): CacheSide {
  takesAtMost(o, 3)
  const [capacity = '9984', maxTtl = String(mostSeconds), minTtl = '5'] = o.args
  return {
    capacity: integerIn(o, capacity, 1, 10_000_000),
    maxTtl: integerIn(o, maxTtl, 1, mostTtl),
    minTtl: integerIn(o, minTtl, 0, mostTtl),
  }
}
