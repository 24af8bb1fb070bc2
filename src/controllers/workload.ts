// effect: requests to the API server
// What the shells of all workloads do alike: notice changes of what they own, and claim it.

import type { ApiObject, LabelSelector } from '#api/meta.ts'
import { keyOf } from '#api/object-key.ts'
import { controllerOf } from '#api/owner.ts'
import type { Resource } from '#api/resource.ts'
import { matchLabelSelector } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'
import { type Client, isAlreadyExists, isNotFound } from '#client/client.ts'
import { type Act, patchOf } from '#client/control/act.ts'
import { byOwner, candidates } from '#controllers/by-owner.ts'
import { planClaim } from '#controllers/claim.ts'
import type { Owner } from '#controllers/revision-history.ts'
import type { Store } from '#client/control/store.ts'
import { type Writer, isNamespaceGoing } from '#client/control/writer.ts'

type Selecting = ApiObject & { readonly spec?: { readonly selector?: LabelSelector } }

/** Marks the owner of each changed object; for one that nobody owns, those whose selector matches. */
export function markOwners<T extends ApiObject>(
  owned: Store<T>,
  owners: Store<ApiObject>,
  kind: string,
  mark: (key: string) => void,
  selectorOf: (owner: Stored<Selecting>) => LabelSelector | undefined = ({ spec }) => spec?.selector,
): void {
  const byNamespace = owners.index(({ metadata }) => [metadata.namespace])
  owned.listen(({ kind: change, value, old }) => {
    const now = controllerOf(value)
    const before = old === undefined ? undefined : controllerOf(old)
    const { namespace, labels } = value.metadata
    for (const owner of new Set([now, before]))
      if (owner?.kind === kind) mark(keyOf({ metadata: { namespace, name: owner.name } }))
    if (now !== undefined || change === 'removed') return
    for (const owner of byNamespace.of(namespace) as readonly Stored<Selecting>[])
      if (matchLabelSelector(selectorOf(owner), labels)) mark(keyOf(owner))
  })
}

/** The objects that `owner` controls; undefined where it had to adopt or let go first and should be looked at again. */
export async function claimed<T extends ApiObject>(claim: {
  readonly client: Client
  readonly writer: Writer
  readonly ownerResource: Resource<ApiObject>
  readonly owner: Stored<Selecting>
  readonly resource: Resource<T>
  readonly store: Store<T>
  readonly signal: AbortSignal
}): Promise<readonly Stored<T>[] | undefined> {
  const { client, writer, ownerResource, owner, resource, store, signal } = claim
  const { owned, acts, adopts } = planClaim({
    ownerResource,
    owner,
    resource,
    candidates: candidates(byOwner(store), owner),
    matches: (labels) => matchLabelSelector(owner.spec?.selector, labels),
  })
  if (acts.length === 0) return owned
  if (adopts && !(await stillLives(client, ownerResource, owner, signal))) return undefined
  await writer.perform(acts, signal)
  return undefined
}

/** Asks the server itself: an owner that is being deleted lets its objects go, and must not take them back. */
async function stillLives(
  client: Client,
  resource: Resource<ApiObject>,
  owner: Stored,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = owner.metadata
  try {
    const fresh = await client.get(resource, name, { namespace, signal })
    return fresh.metadata?.uid === uid && fresh.metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** Makes or raises a revision. Where another template has its name already, the next hash will be another. */
export async function performRevision(
  writer: Writer,
  resource: Resource,
  owner: Owner,
  act: Act,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writer.perform([act], signal)
  } catch (error) {
    if (isNamespaceGoing(error)) return
    if (!isAlreadyExists(error)) throw error
    const collisionCount = (owner.status?.collisionCount ?? 0) + 1
    await writer.perform([patchOf(resource, owner, { status: { collisionCount } }, 'status')], signal)
  }
}
