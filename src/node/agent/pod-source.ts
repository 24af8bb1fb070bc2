// effect: a watch of pods
// The pods that the API server wants on this node, by UID: two pods of one name, the one going and the one coming, are
// two pods here.
import { pods, type Pod } from '#api/core.ts'
import { stored } from '#api/stored.ts'
import type { Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import type { Logger } from '#daemon/log.ts'
import type { StoredPod } from '#node/agent/agent-context.ts'

export type PodSource = {
  readonly pods: ReadonlyMap<string, StoredPod>
  readonly synced: Promise<void>
}

export function watchPods(
  client: Client,
  nodeName: string,
  o: {
    readonly signal: AbortSignal
    readonly log: Logger
    /** `pod` is undefined where it is gone */
    readonly onChange: (uid: string, pod: StoredPod | undefined, old: StoredPod | undefined) => void
  },
): PodSource {
  const { signal, log, onChange } = o
  const byUid = new Map<string, StoredPod>()
  const drop = (pod: Pod) => {
    const old = stored(pod)
    if (byUid.delete(old.metadata.uid)) onChange(old.metadata.uid, undefined, old)
  }
  const { synced } = informer(client, pods, {
    fieldSelector: `spec.nodeName=${nodeName}`,
    signal,
    log,
    onChange({ kind, value, old }) {
      if (kind === 'removed') return drop(value)
      const pod = stored(value)
      if (old && old.metadata?.uid !== pod.metadata.uid) drop(old)
      const before = byUid.get(pod.metadata.uid)
      byUid.set(pod.metadata.uid, pod)
      onChange(pod.metadata.uid, pod, before)
    },
  })
  return { pods: byUid, synced }
}
