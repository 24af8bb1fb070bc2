// effect: requests to the API server
// Empties namespaces that are being deleted, pods first, and then lets them go.

import { type Namespace, namespaces, pods } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { type Resource, pathOf } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { stored } from '#api/stored.ts'
import { isConflict, isNotFound } from '#client/client.ts'
import { type Discovery, type Served, discover } from '#client/discovery.ts'
import { patchOf } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { type Remaining, type Removal, removalConditions } from '#controllers/namespace/conditions.ts'
import type { Writer } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'namespace-controller'
const finalizer = 'kubernetes'
/** What remains is looked at again after this time, beside each time that something of it goes. */
const lookAgainMs = 2000

export const namespaceController: Controller = {
  name,
  alias: 'namespace',
  async start(context) {
    const { caches, signal } = context
    const all = caches.of(namespaces)
    const writer = context.writer(name)
    const queue = context.queue('namespace', 5, async (key) => {
      const namespace = all.get(key)
      if (namespace?.metadata.deletionTimestamp === undefined) return
      if (!(namespace.spec.finalizers ?? []).includes(finalizer)) return
      try {
        if (!(await empty(context, writer, namespace))) queue.mark(key, lookAgainMs)
      } catch (error) {
        if (isNotFound(error)) return
        if (!isConflict(error)) throw error
        queue.mark(key, 50)
      }
    })
    const markIfGoing = (key: string) => {
      if (all.get(key)?.metadata.deletionTimestamp !== undefined) queue.mark(key)
    }
    all.listen(({ key }) => markIfGoing(key))
    // Pods take their time to end; the last one to go lets the rest follow at once.
    caches.of(pods).listen(({ kind, value }) => {
      if (kind === 'removed') markIfGoing(value.metadata.namespace)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** One round. Says whether the namespace is empty, and so was let go. */
async function empty(context: ControllerContext, writer: Writer, namespace: Stored<Namespace>): Promise<boolean> {
  const { client, clock, signal } = context
  const removal = await removeContent(context, namespace.metadata.name)
  const before = namespace.status?.conditions ?? []
  const conditions = removalConditions(before, removal, clock.now())
  const status = { phase: 'Terminating', conditions }
  const isChanged = conditions !== before || namespace.status?.phase !== 'Terminating'
  if (isChanged) await writer.perform([patchOf(namespaces, namespace, { status }, 'status')], signal)
  if (removal.errors.length > 0) throw new Error(removal.errors.join(', '))
  if (removal.remaining.some(({ count }) => count > 0)) return false
  const fresh = stored(await client.get(namespaces, namespace.metadata.name, { signal }))
  const finalizers = (fresh.spec?.finalizers ?? []).filter((one) => one !== finalizer)
  await client.update(
    namespaces,
    { ...fresh, spec: { ...fresh.spec, finalizers } },
    { subresource: 'finalize', signal },
  )
  return true
}

async function removeContent(context: ControllerContext, namespace: string): Promise<Removal> {
  const { client, signal } = context
  let found: Discovery
  try {
    found = await discover(client, signal)
  } catch (error) {
    if (signal.aborted) throw error
    return { remaining: [], errors: [messageOf(error)], discoveryError: messageOf(error) }
  }
  const texts = [...found.failed].map(([group, why]) => `${group}: ${why}`)
  const failed =
    texts.length === 0
      ? {}
      : { discoveryError: `Discovery failed for some groups, ${texts.length} failing: ${texts.join(', ')}` }
  const kinds = found.served.filter(
    ({ namespaced, verbs }) => namespaced && verbs.includes('delete') && verbs.includes('list'),
  )
  const isPods = ({ group, plural }: Served) => group === '' && plural === pods.plural
  const first = await removeKinds(context, kinds.filter(isPods), namespace)
  const errors = [...first.errors, ...texts]
  // Pods may still need what else is there while they end.
  if (first.remaining.some(({ count }) => count > 0)) return { ...first, ...failed, errors }
  const rest = await removeKinds(
    context,
    kinds.filter((kind) => !isPods(kind)),
    namespace,
  )
  return { remaining: rest.remaining, errors: [...errors, ...rest.errors], ...failed }
}

async function removeKinds(
  context: ControllerContext,
  kinds: readonly Served[],
  namespace: string,
): Promise<{ readonly remaining: readonly Remaining[]; readonly errors: readonly string[] }> {
  const errors: string[] = []
  const remaining = await Promise.all(
    kinds.map(async (resource): Promise<Remaining> => {
      try {
        return await removeAll(context, resource, namespace)
      } catch (error) {
        if (context.signal.aborted) throw error
        errors.push(messageOf(error))
        return { resource, count: 0, finalizers: new Map() }
      }
    }),
  )
  return { remaining, errors }
}

/** Deletes the objects of one kind; answers those that are still there afterwards. */
async function removeAll(
  { client, signal }: ControllerContext,
  resource: Served,
  namespace: string,
): Promise<Remaining> {
  const list = async () => (await client.list(resource as Resource<ApiObject>, { namespace, signal })).items
  const nothing = { resource, count: 0, finalizers: new Map<string, number>() }
  const before = await list()
  if (before.length === 0) return nothing
  if (resource.verbs.includes('deletecollection')) {
    const { status, body } = await client.raw('DELETE', pathOf(resource, namespace), { signal })
    body.resume()
    if (status >= 300 && status !== 404)
      throw new Error(`cannot delete ${resource.plural}: the server answered ${status}`)
  } else {
    for (const { metadata } of before)
      await client.delete(resource, metadata?.name ?? '', { namespace, signal }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error
      })
  }
  const after = await list()
  const finalizers = new Map<string, number>()
  for (const { metadata } of after)
    for (const one of metadata?.finalizers ?? []) finalizers.set(one, (finalizers.get(one) ?? 0) + 1)
  return { resource, count: after.length, finalizers }
}
