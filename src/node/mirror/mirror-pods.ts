// effect: mirror pods at the API server
// Keeps the mirror pods of this node's parts: makes them, says how the parts are, and makes them again when somebody has
// deleted them.
import { nodes, pods, type Pod } from '#api/core.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#client/client.ts'
import { createLoop, type Loop } from '#daemon/loop.ts'
import { equalJson } from '#lib/equal.ts'
import type { AgentContext, StoredPod } from '#node/agent/agent-context.ts'
import { mirrorName, mirrorNamespace, planMirrorPod, planMirrorStatus, type NodePart } from '#node/mirror/mirror-pod.ts'

export class MirrorPods {
  readonly #o: AgentContext
  readonly #parts: ReadonlyMap<string, NodePart>
  readonly #loop: Loop

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
  follow({ metadata: { name } }: StoredPod): void {
    this.#loop.mark(name)
  }

  async run(signal: AbortSignal): Promise<void> {
    for (const name of this.#parts.keys()) this.#loop.mark(name)
    await this.#loop.run(signal)
  }

  async #act(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      const part = this.#parts.get(name)
      const stray = part ? undefined : this.#find(name)
      if (part) await this.#ensure(part, name)
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

  async #ensure(part: NodePart, name: string): Promise<void> {
    const { client, hostIps, clock } = this.#o
    const pod = this.#find(name) ?? (await this.#create(part))
    const { uid, deletionTimestamp } = pod.metadata ?? {}
    if (deletionTimestamp !== undefined) return this.#delete(pod)
    const status = planMirrorStatus(part, pod, { hostIps, nowMs: clock.now() })
    const known = Object.fromEntries(Object.keys(status).map((field) => [field, pod.status?.[field as keyof object]]))
    if (equalJson(status, known)) return
    try {
      const patch = { metadata: { uid }, status }
      await client.patch(pods, name, patch, { type: 'strategic', namespace: mirrorNamespace, subresource: 'status' })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  #find(name: string): Pod | undefined {
    return [...this.#o.pods.values()].find(
      ({ metadata }) => metadata.name === name && metadata.namespace === mirrorNamespace,
    )
  }

  async #create(part: NodePart): Promise<Pod> {
    const { client, nodeName } = this.#o
    const node = await client.get(nodes, nodeName)
    const planned = planMirrorPod(part, { name: nodeName, uid: node.metadata?.uid ?? '' })
    try {
      return await client.create(pods, planned)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      return client.get(pods, mirrorName(part, nodeName), { namespace: mirrorNamespace })
    }
  }
}
