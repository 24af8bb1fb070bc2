// effect: HTTP requests to the cluster's processes
// How well each process of a cluster says it is: every one answers /readyz, from where it can be asked.
import type { NodePart } from '#lab/cluster.ts'
import { type Answer, fetchFrom } from '#lab/connect.ts'
import { announcedPoolOf, apiServerOf, apiServerPort, type ClusterPlan, nodesOf } from '#lab/plan.ts'
import { balancerHealthPort } from '#lab/process-plan.ts'

export type HealthPoint = {
  /** as `status` names it */
  readonly name: string
  /** the process that answers */
  readonly process: string
  readonly netns: string
  readonly url: string
}

/** The usual ports of Kubernetes' components; kube-proxy has no /readyz, and says by /healthz whether it keeps up. */
const parts: { readonly [P in NodePart]: { readonly name: string; readonly at: string } } = {
  agent: { name: 'kubelet', at: '10248/readyz' },
  proxy: { name: 'kube-proxy', at: '10256/healthz' },
  flannel: { name: 'kube-flannel', at: '8471/readyz' },
  announcer: { name: 'fairway-announcer', at: '8473/readyz' },
  provisioner: { name: 'fairway-provisioner', at: '8474/readyz' },
}

/** Who is to be asked, and where. Pure. */
export function planHealthPoints(plan: ClusterPlan): readonly HealthPoint[] {
  const { name: process, namespaces } = plan.hosts.find(({ role }) => role === 'control-plane')!
  const controlPlane = namespaces.net
  // Without addresses to give, nobody answers for any.
  const runs = (part: NodePart) => part !== 'announcer' || announcedPoolOf(plan) !== undefined
  return [
    {
      name: 'API server',
      process,
      netns: controlPlane,
      url: `https://${apiServerOf(plan).ip}:${apiServerPort}/readyz?verbose`,
    },
    { name: 'controllers', process, netns: controlPlane, url: 'http://127.0.0.1:10257/readyz' },
    ...plan.hosts
      .filter(({ role }) => role === 'balancer')
      .map(({ name, ip, namespaces: { net } }) => ({
        name: 'load balancer',
        process: name,
        netns: net,
        url: `http://${ip}:${balancerHealthPort}/readyz`,
      })),
    ...nodesOf(plan).flatMap((node) =>
      node.parts.filter(runs).map((part) => ({
        name: `${parts[part].name} on ${node.name}`,
        process: node.name,
        netns: node.namespaces.net,
        url: `http://127.0.0.1:${parts[part].at}`,
      })),
    ),
  ]
}

/** A sentence for each that is not well, or does not answer; processes that are known to be away are not asked. */
export async function askHealth(
  plan: ClusterPlan,
  away: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const points = planHealthPoints(plan).filter(({ process }) => !away.includes(process))
  const told = await Promise.all(points.map((point) => ask(point, signal)))
  return told.flatMap((sentence) => sentence ?? [])
}

const noNames = { servers: [], search: [], ndots: 1, hosts: new Map<string, string>() }

async function ask({ name, netns, url }: HealthPoint, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await fetchFrom(new URL(url), { netns, names: noNames, timeoutMs: 3000, signal })
    return answer.status === 200 ? undefined : `${name}: ${reasonOf(answer)}`
  } catch (error) {
    return `${name} does not say how it is: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`
  }
}

/** Of a report with a line for each check, those that failed. */
export function reasonOf({ status, body }: Pick<Answer, 'status' | 'body'>): string {
  const lines = body.toString().trim().split('\n')
  const failed = lines.filter((line) => line.startsWith('[-]')).map((line) => line.slice('[-]'.length))
  return failed.length > 0 ? failed.join(', ') : `${status} ${lines[0]!.slice(0, 100)}`.trim()
}
