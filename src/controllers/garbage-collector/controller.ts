// effect: requests to the API server
// Garbage collection over every kind that the server serves: what its owners leave behind goes too.

import type { ApiObject, OwnerReference } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { type Client, isConflict, isNotFound } from '#client/client.ts'
import { type Served, discover } from '#client/discovery.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import { type Asked, decide } from '#controllers/garbage-collector/decide.ts'
import { Graph } from '#controllers/garbage-collector/graph.ts'
import { messageOf } from '#daemon/error.ts'

const name = 'garbage-collector-controller'
/** Events own nothing, and are too many to watch for nothing. */
const ignored = new Set(['events.', 'events.events.k8s.io'])
/** Pause between looks at what is served, while something could not be found out. */
const retryMs = 5000
/** Pause before an object is looked at again whose state here was not the latest. */
const staleMs = 100

export const garbageCollector: Controller = {
  name,
  alias: 'garbagecollector',
  async start(context) {
    const { signal } = context
    const graph = new Graph()
    const kinds: Kinds = { served: [] }
    const writer = context.writer(name)
    const queue = context.queue('garbage_collector_attempt_to_delete', 20, async (uid) => {
      const answers = new Map<string, 'exists' | 'absent'>()
      const asked: Asked = (owner) => answers.get(keyOf(owner))
      let decision = decide(graph, uid, asked)
      while (decision.unknown.length > 0) {
        const namespace = graph.item(uid)?.object.metadata.namespace
        for (const owner of decision.unknown)
          answers.set(keyOf(owner), await ask(context, kinds.served, owner, namespace))
        decision = decide(graph, uid, asked)
      }
      for (const other of decision.examine) queue.mark(other)
      try {
        await writer.perform(decision.acts, signal)
      } catch (error) {
        // Something of it is gone or has changed, and the watch is about to tell: then it looks different.
        if (!isNotFound(error) && !isConflict(error)) throw error
        queue.mark(uid, staleMs)
      }
    })
    await watchAll(context, graph, kinds, (uids) => {
      for (const uid of uids) queue.mark(uid)
    })
    await context.caches.synced()
    await queue.run(signal)
  },
}

const keyOf = (owner: OwnerReference): string => `${owner.apiVersion}/${owner.kind}/${owner.name}/${owner.uid}`

/** What the server serves, as far as it is known. */
type Kinds = { served: readonly Served[] }

/** Fills the graph with all kinds that can be listed, watched and deleted. */
async function watchAll(
  context: ControllerContext,
  graph: Graph,
  kinds: Kinds,
  examine: (uids: readonly string[]) => void,
): Promise<void> {
  const { client, caches, clock, log, signal } = context
  const watched = new Set<string>()
  const look = async (): Promise<void> => {
    let isComplete = false
    try {
      const { served, failed } = await discover(client, signal)
      isComplete = failed.size === 0
      kinds.served = served
      for (const resource of served.filter(isCollected)) {
        const id = `${resource.plural}.${resource.group}`
        if (watched.has(id)) continue
        watched.add(id)
        follow(caches.of(resource as Resource<ApiObject>), resource, graph, examine)
      }
    } catch (error) {
      if (signal.aborted) return
      log.debug('cannot find out what the server serves: will try again', { err: messageOf(error) })
    }
    if (isComplete) return
    if (kinds.served.length > 0) return void clock.after(retryMs, () => void look())
    await clock.sleep(retryMs, signal)
    if (!signal.aborted) await look()
  }
  await look()
}

function isCollected({ plural, group, verbs }: Served): boolean {
  return !ignored.has(`${plural}.${group}`) && ['list', 'watch', 'delete'].every((verb) => verbs.includes(verb))
}

function follow(
  store: ReturnType<ControllerContext['caches']['of']>,
  resource: Resource,
  graph: Graph,
  examine: (uids: readonly string[]) => void,
): void {
  store.listen(({ kind, value, old }) => {
    const { uid } = value.metadata
    const gone = old !== undefined && old.metadata.uid !== uid ? graph.forget(old.metadata.uid) : []
    const now = kind === 'removed' ? graph.forget(uid) : graph.observe({ resource, object: value as Stored })
    examine([...gone, ...now])
  })
}

/** Asks the server whether an owner exists. An owner of a kind that it does not serve is taken to exist. */
async function ask(
  { client, signal }: { readonly client: Client; readonly signal: AbortSignal },
  served: readonly Served[],
  owner: OwnerReference,
  namespace: string | undefined,
): Promise<'exists' | 'absent'> {
  const group = owner.apiVersion.split('/').at(-2) ?? ''
  const resource = served.find((one) => one.kind === owner.kind && one.group === group)
  // An object without a namespace cannot be owned by one that has a namespace; nothing is known about such an owner.
  if (resource === undefined || (resource.namespaced && !namespace)) return 'exists'
  try {
    const found = (await client.get(resource, owner.name, {
      ...(resource.namespaced && { namespace }),
      signal,
    })) as ApiObject
    return found.metadata?.uid === owner.uid ? 'exists' : 'absent'
  } catch (error) {
    if (isNotFound(error)) return 'absent'
    throw error
  }
}
