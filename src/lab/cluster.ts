// A cluster as it shall be: what it was made with, and the nodes that it has now. Nodes come and go while it runs; the
// options never change.
import { parseCidr } from '#lib/cidr.ts'
import { UserError } from '#daemon/error.ts'
import type { ClusterOptions } from '#lab/options.ts'

/** What a node is made of; each part can be stopped alone. */
export const nodeParts = ['agent', 'proxy', 'flannel', 'announcer', 'provisioner'] as const
export type NodePart = (typeof nodeParts)[number]

export type Member = {
  readonly name: string
  /** its place in the nodes' network: 2 is x.x.x.2 */
  readonly place: number
  /** off: nothing of it is there, as of a computer without power */
  readonly power: 'on' | 'off'
  /** the parts that shall run while it is on */
  readonly parts: readonly NodePart[]
}

export type Cluster = { readonly options: ClusterOptions; readonly members: readonly Member[] }

/** How many nodes a cluster on one machine may have. */
export const mostNodes = 50
const firstPlace = 2
/** Names that mean other things on the command line, or in the cluster's folder of namespaces. */
const reserved = ['control-plane', 'balancer', 'client', 'router', 'fabric', 'lo', 'lan', 'outside', 'uplink']

/** With nodes `node-1`, `node-2` ... Throws a UserError where there is no room for so many. */
export function newCluster(options: ClusterOptions, nodes: number): Cluster {
  let cluster: Cluster = { options, members: [] }
  for (let i = 0; i < nodes; i++) cluster = addMember(cluster)
  return cluster
}

/** Without a name, the first of `node-1`, `node-2` ... that is free. Throws a UserError that says what is wrong. */
export function addMember({ options, members }: Cluster, name?: string): Cluster {
  const most = Math.min(mostNodes, podNetworks(options))
  if (members.length >= most)
    throw new UserError(
      `the cluster "${options.name}" has no room for more than ${most} ${most === 1 ? 'node' : 'nodes'}` +
        (most < mostNodes ? `: each takes a /24 of the pod network ${options.podCidr}` : ''),
      { code: 'NoRoom', remedy: most < mostNodes ? 'make the cluster with a larger --pod-cidr' : undefined },
    )
  const names = members.map((member) => member.name)
  const free = numbers(1).find((n) => !names.includes(`node-${n}`))!
  const wanted = name ?? `node-${free}`
  checkMemberName(wanted)
  if (names.includes(wanted))
    throw new UserError(`there is a node "${wanted}" already`, {
      code: 'NodeExists',
      remedy: `give another name; fairway status --name ${options.name} shows the nodes`,
    })
  const places = members.map(({ place }) => place)
  const place = numbers(firstPlace).find((n) => !places.includes(n))!
  return { options, members: [...members, { name: wanted, place, power: 'on', parts: nodeParts }] }
}

export const removeMember = ({ options, members }: Cluster, name: string): Cluster => ({
  options,
  members: members.filter((member) => member.name !== name),
})

/** Changes one node. */
export const updateMember = (
  { options, members }: Cluster,
  name: string,
  change: Partial<Pick<Member, 'power' | 'parts'>>,
): Cluster => ({
  options,
  members: members.map((member) => (member.name === name ? { ...member, ...change } : member)),
})

/** Throws a UserError that names the nodes there are. */
export function requireMember({ options, members }: Cluster, name: string): Member {
  const member = members.find((one) => one.name === name)
  if (member) return member
  throw new UserError(`the cluster "${options.name}" has no node "${name}"`, {
    code: 'NoSuchNode',
    remedy: `there are: ${members.map((one) => one.name).join(', ')}`,
  })
}

function checkMemberName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) && !reserved.includes(name)) return
  throw new UserError(`no node can be called ${JSON.stringify(name)}`, {
    code: 'BadName',
    remedy: reserved.includes(name)
      ? 'that name is taken by another part of the cluster'
      : 'a name has up to 63 lower-case letters, digits and dashes',
  })
}

/** How many /24 networks there are for nodes' pods. */
const podNetworks = ({ podCidr }: ClusterOptions): number => 2 ** Math.max(0, 24 - parseCidr(podCidr)!.prefix)

const numbers = (first: number): readonly number[] => Array.from({ length: mostNodes + 1 }, (_, i) => first + i)
