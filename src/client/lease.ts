// effect: random names
// Leases: the heartbeat of a node, and the election of one leader among several processes.
import { leases, type Lease, type LeaseSpec } from '#api/coordination.ts'
import type { OwnerReference } from '#api/meta.ts'
import { formatMicroTime } from '#api/time.ts'
import { isAlreadyExists, isConflict, isNotFound, type Client } from '#client/client.ts'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'

export type LeaseOptions = {
  readonly client: Client
  readonly namespace: string
  readonly name: string
  /** who holds it */
  readonly holder: string
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Renews a lease for as long as the signal lasts, as kubelets do in kube-node-lease. Others may change the Lease in
 * between; ours is the newest renewTime. Resolves when the signal is aborted.
 */
export async function holdLease(
  options: LeaseOptions & {
    readonly durationSeconds: number
    readonly renewMs: number
    readonly owner?: OwnerReference
    /** after each try: whether it was renewed */
    onRenew?(renewed: boolean): void
  },
): Promise<void> {
  const { client, namespace, name, holder, signal, clock, log, durationSeconds, renewMs, owner } = options
  let lease: Lease | undefined
  let failures = 0
  while (!signal.aborted) {
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: durationSeconds,
      renewTime: formatMicroTime(clock.now()),
    }
    try {
      lease ??= await getOrCreate(client, { namespace, name, ...(owner && { ownerReferences: [owner] }) }, spec, signal)
      lease = await client.update(leases, { ...lease, spec: { ...lease.spec, ...spec } }, { signal })
      failures = 0
      options.onRenew?.(true)
    } catch (error) {
      lease = undefined
      if (signal.aborted) break
      options.onRenew?.(false)
      if (!isConflict(error) && failures === 0)
        log.warn('cannot renew lease', { lease: `${namespace}/${name}`, err: messageOf(error) })
      failures++
    }
    // A failure is tried again soon: a few of them must fit into the duration.
    await clock.sleep(failures === 0 ? renewMs : Math.min(200 * 2 ** Math.min(failures, 5), renewMs), signal)
  }
}

async function getOrCreate(
  client: Client,
  metadata: NonNullable<Lease['metadata']>,
  spec: LeaseSpec,
  signal: AbortSignal,
) {
  const { name = '', namespace } = metadata
  try {
    return await client.get(leases, name, { namespace, signal })
  } catch (error) {
    if (!isNotFound(error)) throw error
    return await client.create(leases, { metadata, spec }, { signal })
  }
}

/**
 * Waits until we are the leader, then runs `lead` with a signal that is aborted when the lead is lost; then waits again.
 * Gives the lease back when the signal is aborted, so that the next one need not wait for it to run out. Resolves then.
 */
export async function electLeader(
  options: LeaseOptions & {
    readonly durationMs?: number
    readonly retryMs?: number
    lead(signal: AbortSignal): Promise<void>
  },
): Promise<void> {
  const { signal, clock, log, durationMs = 15_000, retryMs = 2000, lead } = options
  const election = new Election(options, durationMs)
  while (!signal.aborted) {
    if (!(await election.tryToHold())) {
      await clock.sleep(retryMs * (1 + 0.2 * Math.random()), signal)
      continue
    }
    log.info(`became leader`, { lease: `${options.namespace}/${options.name}`, holder: options.holder })
    const lost = new AbortController()
    const ended = AbortSignal.any([signal, lost.signal])
    const leading = lead(ended).finally(() => lost.abort())
    // Two thirds of the duration without a renewal: someone else may soon take over, so stop before.
    let renewedMs = clock.monotonicMs()
    while (!ended.aborted) {
      await clock.sleep(retryMs, ended)
      if (ended.aborted) break
      if (await election.tryToHold()) renewedMs = clock.monotonicMs()
      else if (election.isOthers || clock.monotonicMs() - renewedMs > (durationMs * 2) / 3) {
        log.warn('lost the lead', { lease: `${options.namespace}/${options.name}` })
        lost.abort()
      }
    }
    await leading
    if (signal.aborted) await election.release()
  }
}

class Election {
  readonly #options: LeaseOptions
  readonly #durationMs: number
  /** the last lease of another that was seen, and when: its times are by a foreign clock, so we count from here */
  #seen: { readonly version: string; readonly atMs: number } | undefined
  isOthers = false

  constructor(options: LeaseOptions, durationMs: number) {
    this.#options = options
    this.#durationMs = durationMs
  }

  /** Takes or renews the lease; false where another holds it, or the server cannot be reached. */
  async tryToHold(): Promise<boolean> {
    const { client, namespace, name, holder, clock, log } = this.#options
    const time = formatMicroTime(clock.now())
    const mine = { holderIdentity: holder, leaseDurationSeconds: Math.ceil(this.#durationMs / 1000), renewTime: time }
    const signal = AbortSignal.timeout(this.#durationMs / 2)
    try {
      const first = { ...mine, acquireTime: time, leaseTransitions: 0 }
      const lease = await getOrCreate(client, { namespace, name }, first, signal)
      const { holderIdentity: current, leaseTransitions = 0 } = lease.spec ?? {}
      this.isOthers = Boolean(current) && current !== holder
      if (this.isOthers && !this.#hasRunOut(lease)) return false
      const taken = current === holder ? {} : { acquireTime: time, leaseTransitions: leaseTransitions + 1 }
      await client.update(leases, { ...lease, spec: { ...lease.spec, ...mine, ...taken } }, { signal })
      this.isOthers = false
      return true
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error))
        log.debug('cannot hold lease', { lease: `${namespace}/${name}`, err: messageOf(error) })
      return false
    }
  }

  async release(): Promise<void> {
    const { client, namespace, name, holder } = this.#options
    try {
      const lease = await client.get(leases, name, { namespace, signal: AbortSignal.timeout(2000) })
      if (lease.spec?.holderIdentity !== holder) return
      await client.update(leases, { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } })
    } catch (error) {
      this.#options.log.debug('cannot give lease back', { err: messageOf(error) })
    }
  }

  #hasRunOut(lease: Lease): boolean {
    const version = lease.metadata?.resourceVersion ?? ''
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#seen?.version !== version) this.#seen = { version, atMs: nowMs }
    return nowMs - this.#seen.atMs > (lease.spec?.leaseDurationSeconds ?? 0) * 1000
  }
}
