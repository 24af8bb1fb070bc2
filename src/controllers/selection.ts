// Which pods a Service selects, and which Services a pod belongs to, without looking at all of them.

import type { Pod, Service } from '#api/core.ts'
import { isPodReady, isPodTerminal } from '#api/pod-state.ts'
import { matchSelectorMap } from '#api/selector.ts'
import type { Stored } from '#api/stored.ts'
import type { Store } from '#client/control/store.ts'
import { equalJson } from '#lib/equal.ts'

export interface Selection {
  podsOf(service: Stored<Service>): readonly Stored<Pod>[]
  servicesOf(pod: Stored<Pod>): readonly Stored<Service>[]
}

const selections = new WeakMap<object, Selection>()

/** Built once for a pair of stores. */
export function selectionOf(services: Store<Service>, pods: Store<Pod>): Selection {
  let selection = selections.get(services)
  if (selection === undefined) selections.set(services, (selection = createSelection(services, pods)))
  return selection
}

function createSelection(services: Store<Service>, pods: Store<Pod>): Selection {
  // A pod stands under each of its labels, a Service under one pair of its selector.
  const podsBy = pods.index(({ metadata }) => pairs(metadata.namespace, metadata.labels))
  const servicesBy = services.index(({ metadata, spec }) => pairs(metadata.namespace, spec.selector).sort().slice(0, 1))
  return {
    podsOf({ metadata, spec }) {
      const lists = pairs(metadata.namespace, spec.selector).map((pair) => podsBy.of(pair))
      const shortest = lists.sort((a, b) => a.length - b.length)[0] ?? []
      return shortest.filter((pod) => matchSelectorMap(spec.selector, pod.metadata.labels))
    },
    servicesOf: ({ metadata }) =>
      pairs(metadata.namespace, metadata.labels)
        .flatMap((pair) => servicesBy.of(pair))
        .filter(({ spec }) => matchSelectorMap(spec.selector, metadata.labels)),
  }
}

function pairs(namespace: string, labels: Readonly<Record<string, string>> | undefined): string[] {
  return Object.entries(labels ?? {}).map(([key, value]) => `${namespace}/${key}=${value}`)
}

/** Whether a change of a pod can change any endpoint. Most changes of a pod's status cannot. */
export function changesEndpoints(old: Stored<Pod>, now: Stored<Pod>): boolean {
  const { status: before, spec: was } = old
  const { status: after, spec: is } = now
  return !(
    old.metadata.deletionTimestamp === now.metadata.deletionTimestamp &&
    isPodReady(old) === isPodReady(now) &&
    isPodTerminal(old) === isPodTerminal(now) &&
    before?.podIP === after?.podIP &&
    was.nodeName === is.nodeName &&
    was.hostname === is.hostname &&
    was.subdomain === is.subdomain &&
    equalJson(before?.podIPs, after?.podIPs) &&
    equalJson(old.metadata.labels, now.metadata.labels)
  )
}

/** Marks the Services whose endpoints a change of a pod may concern. */
export function markServices(
  services: Store<Service>,
  pods: Store<Pod>,
  mark: (service: Stored<Service>) => void,
): void {
  const selection = selectionOf(services, pods)
  pods.listen(({ value, old }) => {
    if (old !== undefined && !changesEndpoints(old, value)) return
    for (const service of selection.servicesOf(value)) mark(service)
    if (old !== undefined && !equalJson(old.metadata.labels, value.metadata.labels))
      for (const service of selection.servicesOf(old)) mark(service)
  })
}
