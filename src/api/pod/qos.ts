// How a pod is treated when its node runs short: the more it asks for, the later it is evicted.

import type { Container, PodSpec } from '#api/core.ts'
import { addQuantity, compareQuantity, parseQuantity, type Quantity } from '#api/quantity.ts'

type Sums = Map<string, Quantity>

/** Guaranteed: limits of cpu and memory everywhere, equal to the requests. BestEffort: neither anywhere. */
export function qosClassOf(spec: PodSpec): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const requests: Sums = new Map()
  const limits: Sums = new Map()
  const parts = spec.resources
    ? [spec.resources]
    : [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(
        (container: Container) => container.resources ?? {},
      )
  let isLimited = true
  for (const part of parts) {
    add(requests, part.requests)
    if (add(limits, part.limits) < 2) isLimited = false
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  const isEqual = [...requests].every(([name, request]) => {
    const limit = limits.get(name)
    return limit !== undefined && compareQuantity(limit, request) === 0
  })
  return isLimited && isEqual && requests.size === limits.size ? 'Guaranteed' : 'Burstable'
}

/** Adds cpu and memory to the sums; answers how many of the two there are. */
function add(sums: Sums, amounts: Readonly<Record<string, string>> | undefined): number {
  let count = 0
  for (const name of ['cpu', 'memory']) {
    const parsed = parseQuantity(amounts?.[name] ?? '0')
    if (parsed.kind === 'error' || compareQuantity(parsed.value, zero) <= 0) continue
    const known = sums.get(name)
    sums.set(name, known === undefined ? parsed.value : addQuantity(known, parsed.value))
    count++
  }
  return count
}

const zero = ((parsed) => {
  if (parsed.kind === 'error') throw new Error(parsed.message)
  return parsed.value
})(parseQuantity('0'))
