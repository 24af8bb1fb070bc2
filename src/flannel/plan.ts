// From leases to what the kernel shall have: who counts as a peer, then the back end's own plan in each family.

import { containsCidr, overlaps, parseCidr } from '#lib/cidr.ts'
import { byKey } from '#lib/sort.ts'
import { mayOffload, type OffloadSetting } from '#flannel/checksum.ts'
import type { Backend, FamilyPlan, Problem, Self } from '#flannel/backend.ts'
import type { ExternalInterface } from '#flannel/external-interface.ts'
import { families, type Lease, type Peer, type Subnets } from '#flannel/lease.ts'
import type { NetworkConfig } from '#flannel/network-config.ts'

export type PlanInput = {
  readonly node: string
  readonly config: NetworkConfig
  readonly backend: Backend
  readonly external: ExternalInterface
  readonly offload: OffloadSetting
  /** the kernel's, as `uname -r` says */
  readonly release: string
  /** our own range by family */
  readonly subnets: Subnets
  /** of all nodes; our own is passed over */
  readonly leases: Iterable<Lease>
}

/** Ourselves in each family, or why we cannot be there. */
export function planSelf(input: Omit<PlanInput, 'leases'>): readonly Self[] | string {
  const { node, config, backend, external, subnets, offload, release } = input
  const selves: Self[] = []
  for (const family of families) {
    const network = config.networks[family]
    if (network === undefined) continue
    const address = external.byFamily[family]
    const subnet = subnets[family]
    if (subnet === undefined || address === undefined) return `node "${node}" pod cidr not assigned`
    if (!containsCidr(parseCidr(network)!, parseCidr(subnet)!))
      return `the network ${network} does not contain ${subnet}, the pod CIDR of node "${node}"`
    const mtu = config.backend.mtu ?? external.mtu
    if (mtu > external.mtu)
      return `the MTU ${mtu} of the configuration is more than ${external.name} carries (${external.mtu})`
    const checksumOffload = mayOffload(offload, release, address)
    const self = { ...address, family, node, subnet, network, link: external.name, mtu, checksumOffload }
    const refusal = backend.refuse(self)
    if (refusal !== undefined) return refusal
    selves.push(self)
  }
  return selves
}

export function planNetwork(input: PlanInput, selves: readonly Self[]): readonly FamilyPlan[] {
  // In the same order on all nodes, so that all drop the same one of two that overlap.
  const leases = [...input.leases]
    .filter((lease) => lease.node !== input.node)
    .sort(byKey((lease) => `${lease.createdAt} ${lease.node}`))
  return selves.map((self) => {
    const { peers, problems } = choosePeers(input, self, leases)
    const plan = input.backend.plan(self, peers)
    return { ...plan, problems: [...problems, ...plan.problems] }
  })
}

function choosePeers({ backend, config }: PlanInput, self: Self, leases: readonly Lease[]) {
  const network = parseCidr(config.networks[self.family]!)!
  const peers: Peer[] = []
  const problems: Problem[] = []
  const taken = [{ node: self.node, range: parseCidr(self.subnet)! }]
  for (const { node, backendType, byFamily } of leases) {
    const lease = byFamily[self.family]
    const range = lease && parseCidr(lease.subnet)
    if (lease === undefined || range === undefined) continue
    const other = taken.find((one) => overlaps(one.range, range))
    const refuse = (code: Problem['code'], message: string) => problems.push({ code, node, message })
    if (backendType !== backend.type)
      refuse('OtherBackend', `Ignoring non-${backend.type} subnet: type=${backendType} of ${node}`)
    else if (!containsCidr(network, range))
      refuse('OutsideNetwork', `${lease.subnet} of ${node} is not in the network ${config.networks[self.family]}`)
    else if (other !== undefined)
      refuse('Overlap', `${lease.subnet} of ${node} overlaps the range of ${other.node}, which was there before`)
    else {
      taken.push({ node, range })
      peers.push({ ...lease, node })
    }
  }
  return { peers, problems }
}
