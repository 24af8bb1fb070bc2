// Two Services that claim the same address and port: who has it is a matter of the mode (in nftables whoever was first, in
// iptables whose rule comes first), and never what both expect. An API server gives out cluster IPs and NodePorts once;
// external IPs and those of load balancers are anybody's word.
import type { PortPlan } from '#proxy/plan/plan.ts'
import { socketAddress } from '#proxy/state.ts'

export type Conflict = {
  /** `namespace/name` of the Service that came later, and of one that had claimed it before */
  readonly service: string
  readonly other: string
  /** `80.11.12.10:80/tcp`, `node port 30080/tcp` */
  readonly front: string
}

export class Claims {
  /** front -> Services, in the order in which they claimed it; a Service alone stands there as its name */
  readonly #claims = new Map<string, string | Set<string>>()

  /** Takes over how the plans of a Service changed; answers what it newly claims although another Service does. */
  change(before: readonly PortPlan[], after: readonly PortPlan[]): Conflict[] {
    const had = new Set(before.flatMap(namesOf))
    const has = new Set(after.flatMap(namesOf))
    const service = after[0]?.service ?? before[0]?.service
    if (service === undefined) return []
    for (const front of had) if (!has.has(front)) this.#drop(front, service)
    return [...has].flatMap((front) => {
      const other = had.has(front) ? undefined : this.#claim(front, service)
      return other === undefined ? [] : { service, other, front }
    })
  }

  /** Answers who claims it already. */
  #claim(front: string, service: string): string | undefined {
    const known = this.#claims.get(front)
    if (known === undefined) this.#claims.set(front, service)
    else if (typeof known !== 'string') known.add(service)
    else if (known !== service) this.#claims.set(front, new Set([known, service]))
    const first = typeof known === 'string' ? known : known?.values().next().value
    return first === service ? undefined : first
  }

  #drop(front: string, service: string): void {
    const known = this.#claims.get(front)
    if (known === service) this.#claims.delete(front)
    else if (typeof known === 'object' && known.delete(service) && known.size === 0) this.#claims.delete(front)
  }
}

/** The cluster IP too: an external IP may be that of another Service. */
const namesOf = ({ clusterIp, protocol, port, fronts }: PortPlan): string[] => [
  `${socketAddress(clusterIp, port)}/${protocol}`,
  ...fronts.map((front) =>
    front.kind === 'node-port'
      ? `node port ${front.port}/${protocol}`
      : `${socketAddress(front.address, port)}/${protocol}`,
  ),
]
