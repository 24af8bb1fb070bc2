// Changing one pod from a subresource, and what is answered then.

import type { SubresourceAnswer, SubresourceRequest } from '#apiserver/kind.ts'
import { type Pod, type PodCondition, pods } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { notFound, StatusError, success } from '#api/status.ts'
import { formatTime } from '#api/time.ts'

export const done: SubresourceAnswer = { kind: 'object', object: { ...success(), code: 201 } as ApiObject, code: 201 }

export async function changePod(
  { context }: Pick<SubresourceRequest<Pod>, 'context'>,
  change: (pod: Pod) => Pod,
  subresource: 'any' | 'status' = 'any',
): Promise<Pod> {
  if (context.dryRun) {
    const pod = await context.objects.get(pods, context.namespace, context.name)
    if (pod !== undefined) return change(pod)
  }
  const changed = await context.objects.change(pods, context.namespace, context.name, change, { subresource })
  if (changed === undefined) throw new StatusError(notFound(pods, context.name))
  return changed
}

/** The pod with this condition; its time moves only when its status does. */
export function withCondition(pod: Pod, wanted: PodCondition, nowMs: number): Pod {
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== wanted.type)
  const before = pod.status?.conditions?.find(({ type }) => type === wanted.type)
  const moved = before?.status === wanted.status ? before.lastTransitionTime : undefined
  const condition = { ...wanted, lastTransitionTime: moved ?? formatTime(nowMs) }
  return { ...pod, status: { ...pod.status, conditions: [...others, condition] } }
}
