// effect: mirror pods at the API server
// Keeps the mirror pods of this node's parts: makes them, says how the parts are, and makes them again when somebody has
// deleted them.
import { nodes, pods, type Node, type Pod } from '#api/core.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#client/client.ts'
import { createLoop, type Loop } from '#daemon/loop.ts'
import { equalJson } from '#lib/equal.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { mirrorName, mirrorNamespace, planMirrorPod, planMirrorStatus, type NodePart } from '#node/mirror/mirror-pod.ts'

export class MirrorPods {
  readonly #o: AgentContext
  readonly #parts: ReadonlyMap<string, NodePart>
  readonly #loop: Loop
  /** what the API server answered to our last write of each, which the watch may not have told yet */
  readonly #written = new Map<string, Pod>()

  constructor(options: AgentContext, parts: readonly NodePart[]) {
    this.#o = options
    this.#parts = new Map(parts.map((part) => [mirrorName(part, options.nodeName), part]))
    this.#loop = createLoop({
      name: 'mirror-pods',
      clock: options.clock,
      log: options.log,
      act: (keys) => this.#act(keys),
      resyncMs: 5000,
      onResync: () => this.#parts.keys(),
      backoffMs: { first: 200, most: 10_000 },
    })
  }

  partOf(namespace: string, name: string): NodePart | undefined {
    return namespace === mirrorNamespace ? this.#parts.get(name) : undefined
  }

  /** Something about a mirror pod of this node has changed, be it that it is gone. */
  follow({ metadata: { name, uid } }: StoredPod): void {
    if (!this.#o.pods.has(uid)) this.#written.delete(name)
    this.#loop.mark(name)
  }

  /** `reported`: resolves once there is a Node that they can belong to. */
  async run(reported: Promise<void>, signal: AbortSignal): Promise<void> {
    void reported.then(() => {
      for (const name of this.#parts.keys()) this.#loop.mark(name)
    })
    await this.#loop.run(signal)
  }

  async #act(names: ReadonlySet<string>): Promise<void> {
    const node = once(() => this.#o.client.get(nodes, this.#o.nodeName))
    for (const name of names) {
      const part = this.#parts.get(name)
      const stray = part ? undefined : this.#find(name)
      if (part) await this.#ensure(part, name, node)
      // Of a part that this node had before.
      else if (stray) await this.#delete(stray)
    }
  }

  async #delete({ metadata }: Pod): Promise<void> {
    const { name = '', uid } = metadata ?? {}
    try {
      await this.#o.client.delete(pods, name, { namespace: mirrorNamespace, gracePeriodSeconds: 0, uid })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  async #ensure(part: NodePart, name: string, node: () => Promise<Node>): Promise<void> {
    const { client, hostIps, clock } = this.#o
    const pod = this.#find(name) ?? (await this.#create(part, node))
    const { uid, deletionTimestamp } = pod.metadata ?? {}
    if (deletionTimestamp !== undefined) return this.#delete(pod)
    const status = planMirrorStatus(part, pod, { hostIps, nowMs: clock.now() })
    const known = Object.fromEntries(Object.keys(status).map((field) => [field, pod.status?.[field as keyof object]]))
    if (equalJson(status, known)) return
    try {
      const patch = { metadata: { uid }, status }
      const options = { type: 'strategic', namespace: mirrorNamespace, subresource: 'status' } as const
      this.#written.set(name, await client.patch(pods, name, patch, options))
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** The newest that is known of it. */
  #find(name: string): Pod | undefined {
    const written = this.#written.get(name)
    const seen = [...this.#o.pods.values()].find(
      ({ metadata }) => metadata.name === name && metadata.namespace === mirrorNamespace,
    )
    return written === undefined || (seen !== undefined && versionOf(seen) > versionOf(written)) ? seen : written
  }

  async #create(part: NodePart, node: () => Promise<Node>): Promise<Pod> {
    const { client, nodeName } = this.#o
    const { metadata } = await node()
    const planned = planMirrorPod(part, { name: nodeName, uid: metadata?.uid ?? '' })
    try {
      const created = await client.create(pods, planned)
      this.#written.set(mirrorName(part, nodeName), created)
      return created
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      return client.get(pods, mirrorName(part, nodeName), { namespace: mirrorNamespace })
    }
  }
}

/** Resource versions of one server are numbers that grow with every write. */
const versionOf = ({ metadata }: Pod): bigint => BigInt(metadata?.resourceVersion ?? 0)

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => (asked ??= ask())
}
