// The pods of a Job: how one ends, which number it has, and the one that is made next.

import { type Job, jobs } from '#api/batch.ts'
import type { Container, Pod } from '#api/core.ts'
import { isPodTerminal, isPodTerminating, podCondition } from '#api/pod-state.ts'
import type { Stored } from '#api/stored.ts'
import { podFromTemplate } from '#controllers/pod-from-template.ts'

/** Keeps a pod of a Job until it has been counted. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const indexKey = 'batch.kubernetes.io/job-completion-index'

export const isTracked = ({ metadata }: Pod): boolean => metadata?.finalizers?.includes(trackingFinalizer) ?? false
export const isIndexed = ({ spec }: Job): boolean => spec?.completionMode === 'Indexed'
export const succeeded = ({ status }: Pod): boolean => status?.phase === 'Succeeded'

/** A pod on its way out counts as failed, unless only those that have failed are replaced. */
export function failed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true
  return job.spec?.podReplacementPolicy !== 'Failed' && isPodTerminating(pod) && !succeeded(pod)
}

export const isActive = (pod: Pod): boolean => !isPodTerminal(pod) && !isPodTerminating(pod)

export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata?.annotations?.[indexKey]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

/** When a pod ended: when its last container did, or else when it stopped being ready. */
export function endedMs(pod: Stored<Pod>): number {
  const times = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ''),
  )
  if (times.length > 0 && times.every((time) => !Number.isNaN(time))) return Math.max(...times)
  const { deletionTimestamp, creationTimestamp } = pod.metadata
  return Date.parse(podCondition(pod, 'Ready')?.lastTransitionTime ?? deletionTimestamp ?? creationTimestamp)
}

/** The next pod; `index` where the Job counts its pods by number. */
export function jobPod(job: Stored<Job>, index?: number): Pod {
  const pod = podFromTemplate(jobs, job, job.spec.template)
  const finalizers = [...(pod.metadata?.finalizers ?? []), trackingFinalizer]
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } }
  const own = { [indexKey]: String(index) }
  const { spec = { containers: [] } } = pod
  const numbered = (container: Container): Container => ({
    ...container,
    env: [
      ...(container.env ?? []),
      { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexKey}']` } } },
    ],
  })
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name}-${index}-`,
      finalizers,
      labels: { ...pod.metadata?.labels, ...own },
      annotations: { ...pod.metadata?.annotations, ...own },
    },
    spec: {
      ...spec,
      hostname: spec.hostname ?? `${job.metadata.name}-${index}`,
      containers: spec.containers.map(numbered),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(numbered) }),
    },
  }
}
