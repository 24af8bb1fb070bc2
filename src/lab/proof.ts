// effect: requests out of the cluster's namespaces
// The proof that Services answer: real requests, each from where such a client would be, with the pod that answered.
import type { Pod, Service } from '#api/core.ts'
import { keyOf } from '#api/object-key.ts'
import { isPodReady } from '#api/pod-state.ts'
import { type Answer, fetchFrom, resolveAliasFrom } from '#lab/connect.ts'
import { type ClusterPlan, hostNamed, nodesOf } from '#lab/plan.ts'
import { type Observed, readyEndpoints } from '#lab/readiness.ts'
import { type Standpoint, standAtPod } from '#lab/standpoint.ts'

/** One thing to try. */
export type Trial = {
  readonly service: string
  readonly from: 'pod' | 'client'
  readonly url: string
  /** a name to look up in place of a request */
  readonly alias?: string
}

export type Proven = Trial & {
  readonly label: string
  readonly ok: boolean
  /** the pod that answered, or what came instead */
  readonly answer: string
  readonly tookMs: number
}

/** What to try of a Service: its cluster IP and its name from a pod, its other addresses from outside. */
export function planTrials(plan: ClusterPlan, service: Service, observed: Observed): readonly Trial[] {
  const { metadata, spec } = service
  const name = `${metadata?.name}.${metadata?.namespace}.svc.${plan.options.clusterDomain}`
  const base = { service: keyOf(service) }
  if (spec?.type === 'ExternalName') return [{ ...base, from: 'pod', url: name, alias: name }]
  const endpoints = readyEndpoints(service, observed.slices)
  if (endpoints.length === 0) return []
  const isHeadless = spec?.clusterIP === 'None'
  const local = spec?.externalTrafficPolicy === 'Local'
  const reachable = nodesOf(plan).filter((node) => !local || endpoints.some((endpoint) => endpoint.node === node.name))
  return (spec?.ports ?? [])
    .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
    .flatMap(({ port, nodePort, targetPort, name: portName }): readonly Trial[] => {
      const scheme = portName === 'https' || port === 443 ? 'https' : 'http'
      const url = (host: string, number: number | string | undefined) => `${scheme}://${host}:${number}/`
      const direct = typeof targetPort === 'number' ? targetPort : port
      return [
        ...(isHeadless ? [] : [{ ...base, from: 'pod', url: url(spec?.clusterIP ?? '', port) } as const]),
        { ...base, from: 'pod', url: url(name, isHeadless ? direct : port) },
        ...(nodePort === undefined
          ? []
          : reachable.slice(0, 3).map((node) => ({ ...base, from: 'client', url: url(node.ip, nodePort) }) as const)),
        ...[...(spec?.externalIPs ?? []), ...balancerIps(service)].map(
          (ip) => ({ ...base, from: 'client', url: url(ip, port) }) as const,
        ),
      ]
    })
}

const balancerIps = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? [])

/** The pod to try from: one that answers for no Service that is tried, where there is one, so that it is not itself. */
export function pickSource(observed: Observed, namespace: string): Pod | undefined {
  const usable = observed.pods.filter(
    (pod) => isPodReady(pod) && pod.status?.podIP !== undefined && pod.spec?.hostNetwork !== true,
  )
  return usable.find(({ metadata }) => metadata?.namespace === namespace) ?? usable[0]
}

const limitMs = 10_000
const pauseMs = 20

/** One after the other; a first answer may take a moment, until the last node has heard of the last change. */
export async function prove(
  plan: ClusterPlan,
  trials: readonly Trial[],
  observed: Observed,
  signal: AbortSignal,
): Promise<readonly Proven[]> {
  const source = pickSource(observed, 'default')
  const node = hostNamed(plan, source?.spec?.nodeName ?? '')
  using pod =
    source && node
      ? standAtPod(plan, {
          namespace: source.metadata!.namespace!,
          name: source.metadata!.name!,
          ip: source.status!.podIP!,
          node,
        })
      : undefined
  const client = hostNamed(plan, 'client')!
  const outside = {
    label: `client (${client.ip})`,
    netns: client.namespaces.net,
    names: { servers: [], search: [], ndots: 1, hosts: new Map<string, string>() },
  }
  const pods = observed.pods.map(({ metadata }) => metadata?.name ?? '')
  const proven: Proven[] = []
  for (const trial of trials) {
    const from = trial.from === 'client' ? outside : pod
    proven.push(
      from === undefined
        ? { ...trial, label: 'pod', ok: false, answer: 'there is no pod to ask from', tookMs: 0 }
        : await tryUntil(trial, from, pods, signal),
    )
  }
  return proven
}

type Source = Pick<Standpoint, 'label' | 'netns' | 'names'>

async function tryUntil(trial: Trial, from: Source, pods: readonly string[], signal: AbortSignal): Promise<Proven> {
  const began = performance.now()
  for (;;) {
    const start = performance.now()
    const result = await tryOnce(trial, from, pods, signal)
    const tookMs = performance.now() - start
    if (result.ok || signal.aborted || performance.now() - began > limitMs)
      return { ...trial, label: from.label, ...result, tookMs }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

async function tryOnce(
  trial: Trial,
  { netns, names }: Source,
  pods: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly answer: string }> {
  try {
    if (trial.alias !== undefined) {
      const alias = await resolveAliasFrom(netns, trial.alias, names)
      return { ok: alias !== undefined, answer: alias === undefined ? 'no alias' : `alias of ${alias}` }
    }
    const answer = await fetchFrom(new URL(trial.url), { netns, names, timeoutMs: 2000, signal })
    return { ok: true, answer: whoAnswered(answer, pods) }
  } catch (error) {
    return { ok: false, answer: (error as NodeJS.ErrnoException).code ?? (error as Error).message }
  }
}

/** The pod whose name stands in the answer; else the status and the beginning of the text. */
export function whoAnswered({ status, body }: Pick<Answer, 'status' | 'body'>, pods: readonly string[]): string {
  const text = body.toString()
  const pod = pods.find((name) => name !== '' && text.includes(name))
  if (pod !== undefined) return pod
  const words = text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return `${status} ${words.slice(0, 50)}`.trim()
}
