// What a server does about addresses when it starts: shows the ranges that it was started with as the ServiceCIDR
// `kubernetes`, and mends the claims of stored Services.

import type { Objects } from '#apiserver/kind.ts'
import { mendClaims } from '#apiserver/allocate/claims.ts'
import { services } from '#api/core.ts'
import { type ServiceCIDR, serviceCidrs } from '#api/networking.ts'
import { StatusError } from '#api/status.ts'
import { formatTime } from '#api/time.ts'

const name = 'kubernetes'

export async function startAllocation(objects: Objects, cidrs: readonly string[], nowMs: number): Promise<void> {
  await keepDefaultRange(objects, cidrs, nowMs)
  await mendClaims(await objects.list(services), objects, nowMs)
}

/** Makes it where it is missing, adds the second family, and says that it is ready. Others than these ranges stay. */
async function keepDefaultRange(objects: Objects, cidrs: readonly string[], nowMs: number): Promise<void> {
  const asWanted = (range: ServiceCIDR): ServiceCIDR => {
    const [first, ...rest] = range.spec?.cidrs ?? []
    return first === cidrs[0] && rest.length === 0 && cidrs.length === 2 ? { ...range, spec: { cidrs } } : range
  }
  if ((await objects.change(serviceCidrs, '', name, asWanted)) === undefined) await create(objects, cidrs)
  const sayReady = (range: ServiceCIDR): ServiceCIDR => {
    const { conditions = [] } = range.status ?? {}
    const isTold = conditions.some(({ type }) => type === 'Ready')
    const isOurs = range.spec?.cidrs?.join() === cidrs.join()
    if (isTold || !isOurs || range.metadata?.deletionTimestamp !== undefined) return range
    const message = 'Kubernetes default Service CIDR is ready'
    const ready = { type: 'Ready', status: 'True', reason: '', message, lastTransitionTime: formatTime(nowMs) }
    return { ...range, status: { ...range.status, conditions: [...conditions, ready] } }
  }
  await objects.change(serviceCidrs, '', name, sayReady, { subresource: 'status' })
}

async function create(objects: Objects, cidrs: readonly string[]): Promise<void> {
  try {
    await objects.create(serviceCidrs, { metadata: { name }, spec: { cidrs } })
  } catch (error) {
    // Another server of the same cluster was faster.
    if (!(error instanceof StatusError) || error.status.reason !== 'AlreadyExists') throw error
  }
}
