// effect: requests to the API server
// How a node goes for good: nothing new comes, what runs ends as its pods want it to, and the Node is taken away.
import { nodes, pods, type Pod } from '#api/core.ts'
import { isNotFound, type Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'

export type LeaveOptions = {
  readonly client: Client
  readonly nodeName: string
  /** for pods to end in */
  readonly timeoutMs: number
}

/** While the agent runs: ends the pods that would not come back. Throws UserError where they do not end in time. */
export async function drain({ client, nodeName, timeoutMs }: LeaveOptions, context: PartContext): Promise<void> {
  const { clock, log, signal } = context
  await client
    .patch(nodes, nodeName, { spec: { unschedulable: true } }, { type: 'merge', signal })
    .catch((error: unknown) => {
      if (!isNotFound(error)) throw error
    })
  const stop = new AbortController()
  const isEmpty = Promise.withResolvers<void>()
  const asked = new Set<string>()
  const here = informer(client, pods, {
    fieldSelector: `spec.nodeName=${nodeName}`,
    signal: AbortSignal.any([signal, stop.signal]),
    log,
    onChange: look,
    onSync: look,
  })
  function look(): void {
    if (!here.isSynced) return
    const left = [...here.values()].filter(mustEnd)
    if (left.length === 0) return isEmpty.resolve()
    for (const { metadata } of left) {
      const { uid = '', name = '', namespace = '' } = metadata ?? {}
      if (asked.has(uid)) continue
      asked.add(uid)
      log.info('Ending pod', { pod: `${namespace}/${name}` })
      client.delete(pods, name, { namespace, uid }).catch((error: unknown) => {
        if (!isNotFound(error)) isEmpty.reject(error as Error)
      })
    }
  }
  const late = clock.after(timeoutMs, () => {
    const names = [...here.values()].filter(mustEnd).map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`)
    isEmpty.reject(
      new UserError(`pods did not end within ${timeoutMs / 1000} s: ${names.join(', ')}`, {
        code: 'PodsLeft',
        remedy: 'give them more time with --timeout, or delete them with --force',
      }),
    )
  })
  try {
    await isEmpty.promise
  } finally {
    late()
    stop.abort()
  }
}

/** Mirror pods and those of DaemonSets belong to the node, and go with it. */
const mustEnd = ({ metadata, status }: Pod): boolean =>
  metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined &&
  !metadata?.ownerReferences?.some(({ kind, controller }) => kind === 'DaemonSet' && controller) &&
  status?.phase !== 'Succeeded' &&
  status?.phase !== 'Failed'

/** After the agent has ended. Its lease goes with the Node. */
export async function removeNode({ client, nodeName }: LeaveOptions): Promise<void> {
  await client.delete(nodes, nodeName).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}
