// effect: requests to the API server
// Jobs: pods that run to their end, counted exactly; and the removal of Jobs whose time after their end is up.

import { jobs } from '#api/batch.ts'
import { pods } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { controllerOf } from '#api/owner.ts'
import { writeStatus } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller } from '#controllers/controller.ts'
import { planJob, withoutFinalizer } from '#controllers/job/plan.ts'
import { isTracked } from '#controllers/job/pods.ts'
import { podWrites } from '#controllers/pod-writes.ts'
import { claimed, markOwners } from '#controllers/workload.ts'

const name = 'job-controller'

export const jobController: Controller = {
  name,
  alias: 'job',
  async start(context) {
    const { caches, client, clock, signal } = context
    const all = caches.of(jobs)
    const podStore = caches.of(pods)
    const podsOf = byOwner(podStore)
    const writer = context.writer(name)

    const queue = context.queue('job', 5, async (key) => {
      const job = all.get(key)
      if (job === undefined) return
      const claim = { client, writer, ownerResource: jobs, owner: job, resource: pods, store: podStore, signal }
      if ((await claimed(claim)) === undefined) return queue.mark(key)
      const state = () => ({ job: all.get(key) ?? job, pods: podsOf.of(job.metadata.uid), nowMs: clock.now() })
      const plan = planJob(state())
      if (plan.expire !== undefined) return writer.perform([plan.expire], signal)
      const writes = podWrites(writer, jobs, job, signal)
      const failure = (await writes.remove(plan.remove)) ?? (await writes.create(plan.create))

      const after = planJob(state())
      await writer.perform(writeStatus(jobs, all.get(key) ?? job, after.status), signal)
      // Only what the status has noted may lose its finalizer.
      await Promise.all(after.release.map((act) => writer.perform([act], signal)))
      await writer.perform(after.events)
      if (failure !== undefined) throw failure
      if (plan.againAfterMs !== undefined) queue.mark(key, plan.againAfterMs)
    })
    /** Pods whose Job is gone: nobody counts them any more. */
    const orphans = context.queue('job_orphan', 2, async (key) => {
      const pod = podStore.get(key)
      if (pod !== undefined && isTracked(pod) && !hasJob(pod)) await writer.perform([withoutFinalizer(pod)], signal)
    })
    const hasJob = (pod: Parameters<typeof isTracked>[0]) => {
      const owner = controllerOf(pod)
      const job = all.get(`${pod.metadata?.namespace}/${owner?.name ?? ''}`)
      return owner?.kind === 'Job' && job?.metadata.uid === owner.uid
    }
    all.listen(({ kind, key, value }) => {
      queue.mark(key)
      if (kind === 'removed') for (const pod of podsOf.of(value.metadata.uid)) orphans.mark(keyOf(pod))
    })
    podStore.listen(({ kind, key, value }) => {
      if (kind !== 'removed' && isTracked(value) && !hasJob(value)) orphans.mark(key)
    })
    markOwners(podStore, all as never, 'Job', (key) => queue.mark(key))
    await caches.synced()
    await Promise.all([queue.run(signal), orphans.run(signal)])
  },
}
