// Numbers for metrics about all plans together, kept up to date by what changes.
import type { ProxyMetrics } from '#proxy/metrics.ts'
import { type WithheldReason, withheldReasons } from '#proxy/plan/guard.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'

type Counts = { internal: number; external: number } & Record<WithheldReason, number>
const none = (): Counts => ({ internal: 0, external: 0, 'own-address': 0, 'peer-address': 0, listening: 0 })

export class PlanCounts {
  #counts = none()

  reset(all: Iterable<readonly PortPlan[]>): void {
    this.#counts = none()
    for (const ports of all) this.#count(ports, 1)
  }
  change(before: readonly PortPlan[], after: readonly PortPlan[]): void {
    this.#count(before, -1)
    this.#count(after, 1)
  }

  #count(ports: readonly PortPlan[], by: number): void {
    for (const { internal, external, withheld } of ports) {
      if (internal.verdict === 'drop') this.#counts.internal += by
      if (external.verdict === 'drop') this.#counts.external += by
      for (const { why } of withheld ?? []) this.#counts[why] += by
    }
  }

  show({ noLocalEndpoints, withheld }: ProxyMetrics, label: string): void {
    for (const policy of ['internal', 'external'] as const) noLocalEndpoints.set(this.#counts[policy], policy, label)
    for (const why of withheldReasons) withheld.set(this.#counts[why], why, label)
  }
}
