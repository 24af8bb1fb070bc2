// What a request for a container's log asks for, and which of its lines that means.

import { logTimeNs, type LogLine } from '#node/logs/line.ts'

export type LogQuery = {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  /** undefined: all */
  readonly tailLines: number | undefined
  readonly limitBytes: number | undefined
  /** lines from this moment on, in nanoseconds since the epoch */
  readonly sinceNs: bigint | undefined
  readonly stream: 'stdout' | 'stderr' | undefined
}

export type ParsedQuery =
  | { readonly kind: 'query'; readonly query: LogQuery }
  | { readonly kind: 'invalid'; readonly message: string }

/** Reads the query of /containerLogs, which has the names of kubectl's flags. */
export function parseLogQuery(search: URLSearchParams, nowMs: number): ParsedQuery {
  const problems: string[] = []
  // As Kubernetes reads a flag of a URL: everything but these means yes.
  const flag = (name: string) => !['false', '0'].includes((search.get(name) ?? 'false').toLowerCase())
  const count = (name: string, least: number) => {
    const text = search.get(name)
    if (text === null || text === '') return undefined
    const value = Number(text)
    if (!Number.isInteger(value) || value < least) problems.push(`${name}: must be an integer of at least ${least}`)
    return value
  }
  const since = count('sinceSeconds', 1)
  const sinceTime = search.get('sinceTime')
  const sinceTimeNs = sinceTime === null ? undefined : logTimeNs(sinceTime)
  if (sinceTime !== null && sinceTimeNs === undefined) problems.push('sinceTime: must be a time in RFC 3339')
  if (since !== undefined && sinceTime !== null)
    problems.push('at most one of `sinceTime` or `sinceSeconds` may be specified')
  const stream = search.get('stream')?.toLowerCase()
  const query: LogQuery = {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    tailLines: count('tailLines', 0),
    limitBytes: count('limitBytes', 1),
    sinceNs: since === undefined ? sinceTimeNs : BigInt(Math.floor(nowMs) - since * 1000) * 1_000_000n,
    stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
  }
  return problems.length > 0 ? { kind: 'invalid', message: problems.join(', ') } : { kind: 'query', query }
}

/** Whether the query wants this line, apart from how many of them. */
export function matchesQuery(line: LogLine, { sinceNs, stream }: LogQuery): boolean {
  if (stream !== undefined && line.stream !== stream) return false
  if (sinceNs === undefined) return true
  const at = logTimeNs(line.time)
  return at === undefined || at >= sinceNs
}
