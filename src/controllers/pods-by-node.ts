import type { Pod } from '#api/core.ts'
import type { Index, Store } from '#client/control/store.ts'

const indexes = new WeakMap<object, Index<Pod>>()

/** Pods by the name of their node; '' for those without one. One index per store, whoever asks. */
export function podsByNode(pods: Store<Pod>): Index<Pod> {
  let index = indexes.get(pods)
  if (index === undefined) indexes.set(pods, (index = pods.index(({ spec }) => [spec.nodeName ?? ''])))
  return index
}
