// A selector and the pods that it should find: none, not ready ones, or ones that EndpointSlices do not know.

import type { Pod, Service } from '#api/core.ts'
import { isPodReady } from '#api/pod-state.ts'
import { matchSelectorMap } from '#api/selector.ts'
import { hasSelector, specOf } from '#api/service/traits.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { notReady } from '#doctor/checks/readiness.ts'
import { inNamespace, plural, someOf } from '#doctor/compare/words.ts'
import { slicesByService } from '#doctor/expect/endpoints.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { podIps } from '#trace/world.ts'

export function checkSelector(it: Case): readonly Finding[] {
  const { view } = it
  const { pods } = view
  if (pods === undefined) return []
  const byNamespace = Map.groupBy(pods, ({ metadata }) => metadata?.namespace ?? 'default')
  const slices = slicesByService(view.slices ?? [])
  return servicesOf(it)
    .filter((service) => hasSelector(specOf(service)))
    .flatMap((service) => {
      const near = byNamespace.get(service.metadata?.namespace ?? 'default') ?? []
      const chosen = podsBehind(near, service)
      if (chosen.length === 0) return [noPod(service, near.filter(isAlive))]
      const addresses = new Set(
        (slices.get(keyOf(service)) ?? []).flatMap(({ endpoints = [] }) =>
          endpoints.flatMap((one) => one.addresses ?? []),
        ),
      )
      return [...notReady(view, service, chosen), ...behind(view, service, chosen, addresses)]
    })
}

/** Those that its selector finds, and that have not ended. */
export const podsBehind = (pods: readonly Pod[], service: Service): readonly Pod[] =>
  pods.filter(
    (pod) =>
      isAlive(pod) &&
      (pod.metadata?.namespace ?? 'default') === (service.metadata?.namespace ?? 'default') &&
      matchSelectorMap(service.spec?.selector, pod.metadata?.labels),
  )

const isAlive = ({ metadata, status }: Pod) =>
  metadata?.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'

const labelsText = (labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

function noPod(service: Service, pods: readonly Pod[]): Finding {
  const key = keyOf(service)
  const selector = (service.spec?.selector ?? {}) as Readonly<Record<string, string>>
  const [nearest] = pods
    .map((pod) => ({ pod, distance: distanceOf(selector, pod.metadata?.labels ?? {}) }))
    .toSorted((a, b) => a.distance - b.distance)
  const isNear = nearest !== undefined && nearest.distance <= nearEnough
  const labels = isNear ? nearest.pod.metadata?.labels : undefined
  const wanted =
    labels &&
    Object.fromEntries(Object.keys(selector).map((name) => [keyMeant(name, labels), labels[keyMeant(name, labels)]!]))
  return finding({
    code: 'NoPodMatches',
    about: `svc/${key}`,
    services: [key],
    summary: `the selector ${labelsText(selector)} of ${key} matches no pod`,
    evidence: [
      `service ${key}: spec.selector: ${labelsText(selector)}`,
      ...(isNear
        ? [`nearest: pod ${keyOf(nearest.pod)} has ${labelsText(labels)}`]
        : [`${plural(pods.length, 'pod')} in the namespace`]),
    ],
    consequence: 'every connection to the Service is refused, and its name leads to nobody where it has no cluster IP',
    remedy:
      wanted === undefined
        ? [
            `kubectl get pods ${inNamespace(key).replace(/\S+$/, '')}--show-labels   # then kubectl set selector service ${inNamespace(key)} ...`,
          ]
        : [
            `kubectl patch service ${inNamespace(key)} --type=json -p '${JSON.stringify([{ op: 'replace', path: '/spec/selector', value: wanted }])}'`,
          ],
  })
}

/** So many letters are a slip. */
const nearEnough = 4
/** What a label that is missing altogether counts. */
const far = 8

/** How far labels are from a selector: letters that differ. */
function distanceOf(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): number {
  let sum = 0
  for (const [key, value] of Object.entries(selector)) {
    const meant = keyMeant(key, labels)
    const found = labels[meant]
    sum += found === undefined ? far : Math.min(far, editDistance(key, meant) + editDistance(found, value))
  }
  return sum
}

const keyMeant = (key: string, labels: Readonly<Record<string, string>>): string =>
  Object.hasOwn(labels, key) ? key : (Object.keys(labels).find((other) => editDistance(key, other) <= 2) ?? key)

/** Insertions, deletions and changes of letters (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** Pods that are ready, and in no slice. */
function behind(
  view: View,
  service: Service,
  chosen: readonly Pod[],
  addresses: ReadonlySet<string>,
): readonly Finding[] {
  if (view.slices === undefined) return []
  const left = chosen.filter(
    (pod) => isPodReady(pod) && podIps(pod).length > 0 && !podIps(pod).some((ip) => addresses.has(ip)),
  )
  if (left.length === 0) return []
  const key = keyOf(service)
  return [
    finding({
      code: 'EndpointsBehind',
      about: `svc/${key}`,
      services: [key],
      summary: `ready pods are in no EndpointSlice of ${key}: ${someOf(left.map((pod) => pod.metadata?.name ?? ''))}`,
      evidence: left
        .slice(0, 4)
        .map(
          (pod) =>
            `pod ${keyOf(pod)} is ready at ${podIps(pod)[0]}; the slices have ${someOf([...addresses]) || 'none'}`,
        ),
      consequence: `${left.length} of ${plural(chosen.length, 'pod')} get no connection`,
      remedy: [
        'fairway logs control-plane   # do the controllers run? elsewhere: kubectl -n kube-system logs -l component=kube-controller-manager',
      ],
    }),
  ]
}
