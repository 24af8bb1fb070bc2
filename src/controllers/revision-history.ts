// ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, for updates and for `kubectl rollout undo`.

import { type ControllerRevision, controllerRevisions } from '#api/apps.ts'
import type { PodTemplateSpec } from '#api/core.ts'
import { controllerReference } from '#api/owner.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { type Act, patchOf, targetOf } from '#client/control/act.ts'
import { templateHash } from '#controllers/template-hash.ts'
import { equalJson } from '#lib/equal.ts'

export const revisionLabel = 'controller-revision-hash'
const hashLabel = 'controller.kubernetes.io/hash'

export type Owner = Stored<{
  readonly metadata?: Stored['metadata']
  readonly spec?: { readonly template: PodTemplateSpec; readonly revisionHistoryLimit?: number }
  readonly status?: { readonly collisionCount?: number }
}>

/** A template in the form of a strategic merge patch of its owner: what `kubectl rollout undo` applies. */
export function dataOf(template: PodTemplateSpec): NonNullable<ControllerRevision['data']> {
  return { spec: { template: { ...template, $patch: 'replace' } } } as unknown as NonNullable<
    ControllerRevision['data']
  >
}

/** The template of a revision. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (data as unknown as { spec: { template: PodTemplateSpec & { $patch?: string } } })
    .spec.template
  return template
}

export const byRevision = (a: ControllerRevision, b: ControllerRevision): number => a.revision - b.revision

export type RevisionPlan =
  | { readonly kind: 'current'; readonly revision: Stored<ControllerRevision> }
  /** to be done first; then it is looked at again */
  | { readonly kind: 'act'; readonly act: Act }

/** The revision of the owner's present template: there already, raised to the newest, or to be made. */
export function planRevision(
  resource: Resource,
  owner: Owner,
  revisions: readonly Stored<ControllerRevision>[],
): RevisionPlan {
  const data = dataOf(owner.spec.template)
  const sorted = revisions.toSorted(byRevision)
  const newest = sorted.at(-1)
  const equal = sorted.findLast((revision) => equalJson(revision.data, data))
  if (equal !== undefined && equal === newest) return { kind: 'current', revision: equal }
  const next = (newest?.revision ?? 0) + 1
  if (equal !== undefined) return { kind: 'act', act: patchOf(controllerRevisions, equal, { revision: next }) }
  const hash = templateHash(owner.spec.template, owner.status?.collisionCount)
  const { name, namespace, annotations } = owner.metadata
  const object: ControllerRevision = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name.slice(0, 223)}-${hash}`,
      namespace,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash, [revisionLabel]: hash },
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(resource, owner)],
    },
    data,
    revision: next,
  }
  return { kind: 'act', act: { kind: 'create', resource: controllerRevisions, object } }
}

/** Removes the oldest revisions beyond the limit, but none that is still `live`. */
export function planTruncation(
  owner: Owner,
  revisions: readonly Stored<ControllerRevision>[],
  live: ReadonlySet<string>,
): readonly Act[] {
  const { revisionHistoryLimit: limit = 10 } = owner.spec
  const past = revisions.filter(({ metadata }) => !live.has(metadata.name)).toSorted(byRevision)
  return past
    .slice(0, Math.max(0, past.length - limit))
    .map((revision): Act => ({ kind: 'delete', resource: controllerRevisions, target: targetOf(revision) }))
}
