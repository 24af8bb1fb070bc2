// effect: requests to the API server
// Deployments: makes ReplicaSets for their templates and moves replicas from old to new ones.

import { type Deployment, type ReplicaSet, deployments, replicaSets } from '#api/apps.ts'
import { pods } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { controllerOf, isControlledBy } from '#api/owner.ts'
import type { Stored } from '#api/stored.ts'
import { isAlreadyExists } from '#client/client.ts'
import type { Plan } from '#client/control/act.ts'
import { byOwner } from '#controllers/by-owner.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { planCollision, planCreateFailure, planDeployment } from '#controllers/deployment/plan.ts'
import { sameTemplate } from '#controllers/deployment/replica-sets.ts'
import { claimed, markOwners } from '#controllers/workload.ts'
import { type Writer, isNamespaceGoing } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'deployment-controller'

export const deploymentController: Controller = {
  name,
  alias: 'deployment',
  async start(context) {
    const { caches, client, clock, signal } = context
    const all = caches.of(deployments)
    const sets = caches.of(replicaSets)
    const podStore = caches.of(pods)
    const writer = context.writer(name)
    const podsOf = byOwner(podStore)
    const queue = context.queue('deployment', 5, async (key) => {
      const deployment = all.get(key)
      if (deployment === undefined) return
      const ownerResource = deployments
      const owned = await claimed({
        client,
        writer,
        ownerResource,
        owner: deployment,
        resource: replicaSets,
        store: sets,
        signal,
      })
      if (owned === undefined) return queue.mark(key)
      const itsPods = owned.flatMap(({ metadata }) => podsOf.of(metadata.uid))
      const nowMs = clock.now()
      const plan = planDeployment({ deployment, replicaSets: owned, pods: itsPods, nowMs })
      await carryOut(context, writer, deployment, plan)
      if (plan.againAfterMs !== undefined) queue.mark(key, plan.againAfterMs)
    })
    all.listen(({ key }) => queue.mark(key))
    markOwners(sets, all as never, 'Deployment', (key) => queue.mark(key))
    podStore.listen(({ kind, value }) => {
      // Recreate waits for the last old pod to be gone.
      if (kind !== 'removed') return
      const owner = controllerOf(value)
      const set = sets.get(keyOf({ metadata: { namespace: value.metadata.namespace, name: owner?.name ?? '' } }))
      const top = set && controllerOf(set)
      if (top?.kind === 'Deployment')
        queue.mark(keyOf({ metadata: { namespace: value.metadata.namespace, name: top.name } }))
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** A new ReplicaSet may be refused, or its name be taken: then the Deployment says so instead of going on. */
async function carryOut(
  { client, clock, signal }: ControllerContext,
  writer: Writer,
  deployment: Stored<Deployment>,
  { acts }: Plan,
): Promise<void> {
  const at = acts.findIndex(({ kind }) => kind === 'create')
  const creation = acts[at]
  if (creation?.kind !== 'create') return writer.perform(acts, signal)
  await writer.perform(acts.slice(0, at), signal)
  const wanted = creation.object as ReplicaSet
  try {
    await writer.create(replicaSets, wanted, signal)
  } catch (error) {
    if (isNamespaceGoing(error)) return
    const setName = wanted.metadata?.name ?? ''
    if (!isAlreadyExists(error)) {
      await writer.perform(planCreateFailure(deployment, setName, messageOf(error), clock.now()).acts, signal)
      throw error
    }
    const there = await client.get(replicaSets, setName, { namespace: deployment.metadata.namespace, signal })
    const isOurs = isControlledBy(there, deployment.metadata.uid)
    if (isOurs && sameTemplate(there.spec?.template, deployment.spec.template)) throw error
    await writer.perform(planCollision(deployment).acts, signal)
    throw error
  }
  await writer.perform(acts.slice(at + 1), signal)
}
