// Eviction: a delete that asks the pod's disruption budget first (pkg/registry/core/pod/storage/eviction.go).

import type { AdmitContext, SubresourceAnswer, SubresourceRequest } from '#apiserver/kind.ts'
import { changePod, done, withCondition } from '#apiserver/kinds/pod-change.ts'
import { type Pod, type PodCondition, pods } from '#api/core.ts'
import type { Status, StatusCause } from '#api/meta.ts'
import { isPodReady, isPodTerminal } from '#api/pod-state.ts'
import { type Eviction, type PodDisruptionBudget, podDisruptionBudgets } from '#api/policy.ts'
import { matchLabelSelector } from '#api/selector.ts'
import { badRequest, failure, forbidden, notFound, StatusError, tooManyRequests } from '#api/status.ts'
import { formatTime } from '#api/time.ts'

export async function evict({ object, body, context }: SubresourceRequest<Pod>): Promise<SubresourceAnswer> {
  const eviction = body as Eviction | undefined
  if (eviction?.metadata?.name !== undefined && eviction.metadata.name !== context.name)
    return { kind: 'status', status: badRequest('name in URL does not match name in Eviction object') }
  const { dryRun, ...deleteOptions } = eviction?.deleteOptions ?? {}
  const isDryRun = context.dryRun || (dryRun?.length ?? 0) > 0
  const refusal = isBeyondBudgets(object) ? undefined : await askBudget(object, context, isDryRun)
  if (refusal !== undefined) return { kind: 'status', status: refusal }
  if (isDryRun) return done
  const why: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  }
  if (!isPodTerminal(object)) await changePod({ context }, (pod) => withCondition(pod, why, context.nowMs), 'status')
  const isGone = !(await context.objects.delete(pods, context.namespace, context.name, deleteOptions))
  if (isGone) return { kind: 'status', status: notFound(pods, context.name) }
  return done
}

/** Its end disrupts nothing: it has not begun, has ended, or is on its way out. */
const isBeyondBudgets = (pod: Pod) =>
  isPodTerminal(pod) || pod.status?.phase === 'Pending' || pod.metadata?.deletionTimestamp !== undefined

/** Takes one disruption from the budget; answers why not. */
async function askBudget(pod: Pod, context: AdmitContext, isDryRun: boolean): Promise<Status | undefined> {
  const { namespace, objects } = context
  const all = await objects.list(podDisruptionBudgets, namespace)
  const budgets = all.filter(({ spec }) => spec?.selector && matchLabelSelector(spec.selector, pod.metadata?.labels))
  const [budget] = budgets
  if (budget === undefined) return undefined
  if (budgets.length > 1)
    return failure(
      500,
      '',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    )
  if (!isPodReady(pod) && mayGoUnready(budget)) return undefined
  const name = budget.metadata?.name ?? ''
  const take = (found: PodDisruptionBudget): PodDisruptionBudget => {
    const refusal = refusalOf(found)
    if (refusal !== undefined) throw new StatusError(refusal)
    return isDryRun ? found : withDisruption(found, context)
  }
  try {
    await objects.change(podDisruptionBudgets, namespace, name, take, { subresource: 'status' })
    return undefined
  } catch (error) {
    if (error instanceof StatusError) return error.status
    throw error
  }
}

function mayGoUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {}
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy
}

/** More evictions than this wait for the disruption controller. */
const mostDisrupted = 2000

function refusalOf({ metadata, spec: _, status = {} }: PodDisruptionBudget): Status | undefined {
  const name = metadata?.name ?? ''
  const resource = { group: podDisruptionBudgets.group, plural: 'poddisruptionbudget' }
  const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0, conditions } = status
  if ((status.observedGeneration ?? 0) < (metadata?.generation ?? 0))
    return wait(10, `The disruption budget ${name} is still being processed by the server.`)
  if (disruptionsAllowed < 0) return forbidden(resource, name, 'pdb disruptions allowed is negative')
  if (Object.keys(status.disruptedPods ?? {}).length > mostDisrupted)
    return forbidden(resource, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  if (disruptionsAllowed > 0) return undefined
  const condition = conditions?.find(({ type }) => type === 'DisruptionAllowed')
  if (condition?.status === 'False' && condition.reason === 'SyncFailed')
    return wait(
      0,
      `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`,
    )
  return wait(
    0,
    `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
  )
}

function wait(seconds: number, message: string): Status {
  const why = "Cannot evict pod as it would violate the pod's disruption budget."
  const status = tooManyRequests(why, seconds)
  const cause: StatusCause = { reason: 'DisruptionBudget', message }
  return { ...status, details: { ...status.details, causes: [cause] } }
}

function withDisruption(budget: PodDisruptionBudget, { name, nowMs }: AdmitContext): PodDisruptionBudget {
  const { status = {}, metadata } = budget
  const disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1
  const disruptedPods = { ...status.disruptedPods, [name]: formatTime(nowMs) }
  if (disruptionsAllowed > 0) return { ...budget, status: { ...status, disruptionsAllowed, disruptedPods } }
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed')
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'InsufficientPods',
    message: '',
    observedGeneration: metadata?.generation ?? 0,
    lastTransitionTime: formatTime(nowMs),
  }
  return { ...budget, status: { ...status, disruptionsAllowed, disruptedPods, conditions: [...others, condition] } }
}
