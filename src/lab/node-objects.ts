// effect: requests to the API server
import { type Node, nodes } from '#api/core.ts'
import { type Client, isAlreadyExists } from '#client/client.ts'
import { hostAt, parseCidr } from '#lib/cidr.ts'
import { type ClusterPlan, nodesOf } from '#lab/plan.ts'

/**
 * The Node objects that are missing, in their order: they do not register themselves. In a new cluster, where nobody has a
 * pod CIDR yet, each is created with its own, so that all can be created at once; later the controllers give what is free.
 */
export async function createNodes(
  client: Client,
  plan: ClusterPlan,
  { isNew }: { readonly isNew: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (isNew) {
    await Promise.all(planNewNodes(plan).map((node) => create(client, node, signal)))
    return
  }
  const { items } = await client.list(nodes, { signal })
  const known = new Set(items.map(({ metadata }) => metadata?.name))
  for (const { name } of nodesOf(plan)) if (!known.has(name)) await create(client, { metadata: { name } }, signal)
}

/** node-1 has the first /24 of the pods' network. Pure. */
export function planNewNodes(plan: ClusterPlan): readonly Node[] {
  const pods = parseCidr(plan.options.podCidr)!
  return nodesOf(plan).map(({ name }, i) => {
    const podCIDR = `${hostAt(pods, 256 * i)}/24`
    return { metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } }
  })
}

const create = (client: Client, node: Node, signal: AbortSignal): Promise<unknown> =>
  client.create(nodes, node, { signal }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error
  })
