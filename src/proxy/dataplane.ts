// What a mode is to the rest of the proxy: something that makes the kernel do what the plans of one address family say.
import type { NftTransaction } from '#kernel/netfilter/generation.ts'
import type { PortPlan } from '#proxy/plan/plan.ts'
import type { Family } from '#proxy/state.ts'

/** What each Service (`namespace/name`) does. */
export type Plans = ReadonlyMap<string, readonly PortPlan[]>

/** How a Service differs from what was last written; both are empty lists for one that is not proxied. */
export type Change = { readonly before: readonly PortPlan[]; readonly after: readonly PortPlan[] }

export interface Dataplane extends Disposable {
  readonly family: Family
  /**
   * Writes `plans`. `changes` is all that differs since the last call, if that one succeeded; without it, nothing is
   * taken for granted and everything is looked at and written anew. Throws where the kernel refuses.
   */
  apply(plans: Plans, changes?: ReadonlyMap<string, Change>): Promise<void>
  /** Says what someone else did to our rules since they were last written; undefined: nothing. Cheap where nothing was. */
  check(plans: Plans): Promise<string | undefined>
  /** NodePorts that rules of an earlier run lead to, as `tcp/30080`; asked before anything is written. */
  nodePorts(): Promise<ReadonlySet<string>>
  /** The kernel tells nobody what others do to these rules: `check` is called every second. */
  readonly isSilent?: boolean
  /** A transaction of nftables, ours or somebody's, was about these tables (`ip filter`). */
  noticed?(transaction: NftTransaction): void
  /** Takes away all of ours from the kernel. */
  remove(): Promise<void>
}
