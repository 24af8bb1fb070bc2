// When a ServiceCIDR may be used, and when one on its way out may go: once no address depends on it alone.

import { type IPAddress, type ServiceCIDR, serviceCidrs } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { formatTime } from '#api/time.ts'
import { type Act, patchOf, type Plan, writeStatus } from '#client/control/act.ts'
import { withCondition } from '#controllers/condition.ts'
import { containsCidr, containsIp, parseCidr } from '#lib/cidr.ts'

export const finalizer = 'networking.k8s.io/service-cidr-finalizer'
/** For servers that still gave an address of it when they heard that it goes. */
const pauseMs = 1000

type Range = Stored<ServiceCIDR>

export function planServiceCidr(
  range: Range,
  ranges: Iterable<Range>,
  addresses: Iterable<Stored<IPAddress>>,
  nowMs: number,
): Plan {
  const { deletionTimestamp, finalizers = [] } = range.metadata
  if (deletionTimestamp === undefined) return { acts: [...protect(range), ...say(range, 'True', nowMs)] }
  if (!finalizers.includes(finalizer)) return { acts: [] }
  if (isNeeded(range, [...ranges], addresses)) return { acts: say(range, 'False', nowMs) }
  const restMs = Date.parse(deletionTimestamp) + pauseMs - nowMs
  if (restMs > 0) return { acts: [], againAfterMs: restMs }
  const others = finalizers.filter((one) => one !== finalizer)
  return { acts: [patchOf(serviceCidrs, range, { metadata: { finalizers: others } })] }
}

function protect(range: Range): readonly Act[] {
  const { finalizers = [] } = range.metadata
  if (finalizers.includes(finalizer)) return []
  return [patchOf(serviceCidrs, range, { metadata: { finalizers: [...finalizers, finalizer] } })]
}

const held = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR'

function say(range: Range, status: 'True' | 'False', nowMs: number): readonly Act[] {
  const why =
    status === 'True'
      ? { reason: '', message: 'Kubernetes Service CIDR is ready' }
      : { reason: 'Terminating', message: held }
  const before = range.status?.conditions ?? []
  if (status === 'True' && before.some((one) => one.type === 'Ready' && one.status === 'True')) return []
  const ready = { type: 'Ready', status, ...why, lastTransitionTime: formatTime(nowMs) }
  return writeStatus(serviceCidrs, range, { ...range.status, conditions: withCondition(before, ready) })
}

/** Whether an address is in this range and in no other, unless another range holds all of this one. */
function isNeeded(range: Range, ranges: readonly Range[], addresses: Iterable<Stored<IPAddress>>): boolean {
  const others = ranges.filter((one) => one.metadata.name !== range.metadata.name).flatMap(cidrsOf)
  const lonely = cidrsOf(range).filter((cidr) => !others.some((other) => containsCidr(other, cidr)))
  if (lonely.length === 0) return false
  for (const { metadata } of addresses) {
    if (metadata.labels?.['ipaddress.kubernetes.io/managed-by'] !== 'ipallocator.k8s.io') continue
    const isIn = (cidr: Parameters<typeof containsIp>[0]) => containsIp(cidr, metadata.name)
    if (lonely.some(isIn) && !others.some(isIn)) return true
  }
  return false
}

const cidrsOf = ({ spec }: Range) =>
  (spec.cidrs ?? []).map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined)
