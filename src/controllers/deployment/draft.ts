// The changes that one decision about a Deployment gathers: sizes of ReplicaSets, new and removed ones, their events.

import { type Deployment, type ReplicaSet, deployments, replicaSets } from '#api/apps.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, eventAbout, patchOf, targetOf } from '#client/control/act.ts'
import { type Rollout, all, replicasOf } from '#controllers/deployment/replica-sets.ts'
import { sizeAnnotations } from '#controllers/deployment/revision.ts'
import { equalJson } from '#lib/equal.ts'

/** Holds the state as it will be after the acts gathered so far, so that later steps count with it. */
export class Draft {
  readonly deployment: Stored<Deployment>
  readonly acts: Act[] = []
  #current: Stored<ReplicaSet> | undefined
  #old: readonly Stored<ReplicaSet>[]

  constructor(deployment: Stored<Deployment>, rollout: Rollout) {
    this.deployment = deployment
    this.#current = rollout.current
    this.#old = rollout.old
  }

  get current(): Stored<ReplicaSet> | undefined {
    return this.#current
  }

  get old(): readonly Stored<ReplicaSet>[] {
    return this.#old
  }

  get all(): readonly Stored<ReplicaSet>[] {
    return all({ current: this.#current, old: this.#old })
  }

  /**
   * Gives a ReplicaSet another size, and the annotations that remember the Deployment's; with `remember` those also
   * where the size stays. Says whether the size changed.
   */
  resize(set: Stored<ReplicaSet>, size: number, remember = false): boolean {
    const before = replicasOf(set)
    if (before === size && !remember) return false
    const annotations = { ...set.metadata.annotations, ...sizeAnnotations(this.deployment) }
    if (before === size && equalJson(annotations, set.metadata.annotations)) return false
    this.acts.push(
      patchOf(replicaSets, set, {
        metadata: { annotations: sizeAnnotations(this.deployment) },
        ...(before === size ? {} : { spec: { replicas: size } }),
      }),
    )
    this.#put({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas: size } })
    if (before === size) return false
    const direction = before < size ? 'up' : 'down'
    const message = `Scaled ${direction} replica set ${set.metadata.name} from ${before} to ${size}`
    this.acts.push(eventAbout(deployments, this.deployment, 'Normal', 'ScalingReplicaSet', message))
    return true
  }

  create(set: Stored<ReplicaSet>): void {
    const { apiVersion = 'apps/v1', kind = 'ReplicaSet', metadata, spec } = set
    const { name, namespace, labels, annotations, ownerReferences } = metadata
    const object = { apiVersion, kind, metadata: { name, namespace, labels, annotations, ownerReferences }, spec }
    this.acts.push({ kind: 'create', resource: replicaSets, object: object as ReplicaSet })
    this.#current = set
    const size = replicasOf(set)
    if (size > 0) {
      const message = `Scaled up replica set ${name} from 0 to ${size}`
      this.acts.push(eventAbout(deployments, this.deployment, 'Normal', 'ScalingReplicaSet', message))
    }
  }

  /** Changes annotations or fields of a ReplicaSet without changing its size. */
  amend(set: Stored<ReplicaSet>, patch: Readonly<Record<string, unknown>>, after: Stored<ReplicaSet>): void {
    this.acts.push(patchOf(replicaSets, set, patch))
    this.#put(after)
  }

  remove(set: Stored<ReplicaSet>): void {
    this.acts.push({ kind: 'delete', resource: replicaSets, target: targetOf(set), propagation: 'Background' })
    this.#old = this.#old.filter(({ metadata }) => metadata.uid !== set.metadata.uid)
  }

  #put(set: Stored<ReplicaSet>): void {
    const { uid } = set.metadata
    if (this.#current?.metadata.uid === uid) this.#current = set
    else this.#old = this.#old.map((old) => (old.metadata.uid === uid ? set : old))
  }
}
