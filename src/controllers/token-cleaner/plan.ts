// Which bootstrap tokens are over, so that their Secrets can go (kube-controller-manager's tokencleaner).

import type { Secret } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'

export type CleanPlan = {
  readonly over: readonly Stored<Secret>[]
  /** when the next one will be; undefined: none will */
  readonly nextMs: number | undefined
}

export function planCleaning(tokens: Iterable<Stored<Secret>>, nowMs: number): CleanPlan {
  const over: Stored<Secret>[] = []
  let next = Infinity
  for (const token of tokens) {
    const end = endOf(token)
    if (end <= nowMs) over.push(token)
    else next = Math.min(next, end)
  }
  return { over, nextMs: next === Infinity ? undefined : next }
}

/** When a bootstrap token ends, in milliseconds since 1970; a time that cannot be read is past. */
export function endOf({ data }: Secret): number {
  const expiration = atob(data?.['expiration'] ?? '')
  if (expiration === '') return Infinity
  const end = Date.parse(expiration)
  return Number.isNaN(end) ? 0 : end
}
