// effect: etcd; clock; randomness
// Leases in etcd v3: a node takes a free range for itself, renews it before its time is over, and watches those of the others.
// While etcd is away everything stays as it is known.
import { randomInt } from 'node:crypto'
import { createLoop } from '#daemon/loop.ts'
import { messageOf } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import type { EtcdClient } from '#etcd/client.ts'
import { equalJson } from '#lib/equal.ts'
import { chooseSubnets, fits, type Pools } from '#flannel/allocation.ts'
import type { Announcement } from '#flannel/annotations.ts'
import { decodeLease, encodeLease, type EtcdLease, leaseKey, leaseRange } from '#flannel/etcd-records.ts'
import { families, type Subnets } from '#flannel/lease.ts'
import type { LeaseSource } from '#flannel/lease-source.ts'

export type EtcdLeasesOptions = {
  readonly client: EtcdClient
  readonly prefix: string
  readonly node: string
  readonly pools: Pools
  /** what this node had before, as subnet.env says */
  readonly previous: Subnets | undefined
  /** a lease is renewed so long before its end */
  readonly renewMarginMs: number
  /** how often the time that is left is looked at; default 30 s */
  readonly lookMs?: number
  /** some lease changed; `node` where it is our own */
  onChange(node: string): void
}

const ttlMs = 24 * 3_600_000
const triesAtRaces = 10
const text = new TextDecoder()
const bytes = new TextEncoder()

type Known = EtcdLease & { readonly value: string; readonly isReservation: boolean }

export function etcdLeases(options: EtcdLeasesOptions, { clock, log, signal }: PartContext): LeaseSource {
  const { client, prefix, node, pools, onChange } = options
  const known = new Map<string, Known>()
  let claimed: Announcement | undefined
  let own: Subnets | undefined
  let trouble = 'no lease yet'
  let renewAt = 0
  let isSynced = false
  let stopWatch: (() => void) | undefined
  const { promise: synced, resolve: sync } = Promise.withResolvers<void>()
  const ownKey = () => own && leaseKey(prefix, own)

  const loop = createLoop({
    name: 'leases',
    clock,
    log,
    resyncMs: options.lookMs ?? 30_000,
    onResync: () => ['look'],
    backoffMs: { first: 200, most: 5000 },
    async act() {
      if (stopWatch === undefined) await readAll()
      if (claimed === undefined) return
      if (own === undefined) await acquire(claimed)
      else await keep(claimed, own)
    },
  })

  async function readAll(): Promise<void> {
    const range = leaseRange(prefix)
    const { items, revision } = await client.range(range)
    const there = new Set(items.map(({ key }) => key))
    for (const key of known.keys()) if (!there.has(key)) forget(key)
    for (const { key, value, lease } of items) learn(key, value, lease)
    stopWatch = client.watch(
      { ...range, startRevision: revision + 1, withPrevious: false },
      (events) => {
        for (const { kind, kv } of events)
          if (kind === 'delete') forget(kv.key)
          else learn(kv.key, kv.value, kv.lease)
      },
      (end) => {
        stopWatch = undefined
        if (end.kind === 'compacted')
          log.info('etcd has forgotten what came after the last look: reading all leases anew')
        else log.warn(`the watch of leases ended: ${messageOf(end.error)}`)
        loop.mark('watch')
      },
    )
    if (isSynced) return
    isSynced = true
    sync()
    onChange(node)
  }

  function learn(key: string, value: Uint8Array, lease: number): void {
    const said = text.decode(value)
    const decoded = decodeLease(prefix, key, said)
    if (decoded === undefined) return void log.warn(`${key} is no lease`)
    const isReservation = lease === 0
    const before = known.get(key)
    if (before?.value === said && before.isReservation === isReservation) return
    known.set(key, { ...decoded, value: said, isReservation })
    changed(key)
  }
  function forget(key: string): void {
    if (known.delete(key)) changed(key)
  }
  function changed(key: string): void {
    if (!isSynced) return
    onChange(key === ownKey() ? node : key)
    if (key === ownKey() || own === undefined) loop.mark(key)
  }

  /** By the same public address, as before, or a new one; of several that want the same range one gets it. */
  async function acquire(announcement: Announcement): Promise<void> {
    for (let i = 0; i < triesAtRaces; i++) {
      const mine = [...known.values()].find(({ lease }) => hasAddressOf(lease.byFamily, announcement))
      if (mine !== undefined && fits(pools, mine.subnets)) {
        own = mine.subnets
        log.info(`Found lease ${shown(own)} for this address, reusing`)
        await write(own, announcement, mine.isReservation)
        return onChange(node)
      }
      if (mine !== undefined) await client.delete(leaseKey(prefix, mine.subnets))
      const wanted = previousIfFree() ?? chooseSubnets(pools, takenBy(mine), () => randomInt(1 << 30) / (1 << 30))
      if (wanted === undefined) {
        trouble = 'out of subnets: every range of the network has a lease'
        onChange(node)
        throw new Error(trouble)
      }
      if (await create(wanted, announcement)) {
        own = wanted
        log.info(`Allocated lease ${shown(own)}`)
        return onChange(node)
      }
      stopWatch?.()
      await readAll()
    }
    throw new Error('others were faster again and again')
  }
  const takenBy = (except: Known | undefined) =>
    [...known.values()].filter((one) => one !== except).map(({ subnets }) => subnets)
  const previousIfFree = (): Subnets | undefined => {
    const { previous } = options
    if (previous === undefined || !fits(pools, previous) || known.has(leaseKey(prefix, previous))) return undefined
    return previous
  }

  async function create(subnets: Subnets, announcement: Announcement): Promise<boolean> {
    const key = leaseKey(prefix, subnets)
    const { lease, dueAt } = await grant()
    const value = bytes.encode(encodeLease(announcement))
    const { answer, isRepeated } = await client.transact({
      key,
      modRevision: 0,
      success: { kind: 'put', key, value, lease },
      failure: { kind: 'get', key },
    })
    // An answer that was lost may have been a yes.
    const isDone = answer.succeeded || (isRepeated && text.decode(answer.found?.value) === text.decode(value))
    if (!isDone) return false
    renewAt = dueAt
    // The watch tells it too, but later: until then the next look would take it for gone.
    learn(key, value, lease)
    return true
  }

  /** The lease is there, says what it should, and has time left. */
  async function keep(announcement: Announcement, subnets: Subnets): Promise<void> {
    const found = known.get(leaseKey(prefix, subnets))
    if (found === undefined) {
      if (await create(subnets, announcement)) return void log.warn(`The lease ${shown(subnets)} was gone: taken again`)
      stopWatch?.()
      return readAll()
    }
    if (!hasAddressOf(found.lease.byFamily, announcement)) {
      trouble = `${found.lease.node} has taken the range ${shown(subnets)} of this node`
      own = undefined
      loop.mark('lost')
      return onChange(node)
    }
    const isSaid = equalJson(JSON.parse(found.value), JSON.parse(encodeLease(announcement)))
    const isDue = !found.isReservation && clock.now() >= renewAt
    if (!isSaid || isDue) await write(subnets, announcement, found.isReservation)
    if (isDue) log.info(`Lease renewed: ${shown(subnets)}`)
  }

  async function write(subnets: Subnets, announcement: Announcement, isReservation: boolean): Promise<void> {
    const key = leaseKey(prefix, subnets)
    const value = bytes.encode(encodeLease(announcement))
    if (isReservation) return client.put(key, value)
    const { lease, dueAt } = await grant()
    const put = { kind: 'put', key, value, lease } as const
    await client.transact({ key, modRevision: 0, success: put, failure: put })
    renewAt = dueAt
  }

  /** Time that etcd counts for a key once the key is put under it; `dueAt`: when it must be renewed. */
  async function grant(): Promise<{ readonly lease: number; readonly dueAt: number }> {
    const lease = randomInt(1, 2 ** 48 - 1)
    const dueAt = clock.now() + ttlMs - options.renewMarginMs
    await client.grantLease(lease, ttlMs / 1000)
    return { lease, dueAt }
  }

  void loop.run(signal)
  loop.mark('start')
  signal.addEventListener('abort', () => stopWatch?.(), { once: true })
  return {
    synced,
    get isSynced() {
      return isSynced
    },
    *leases() {
      for (const [key, { lease }] of known) yield key === ownKey() ? { ...lease, node } : lease
    },
    ownSubnets: () => own ?? trouble,
    // Nobody says there what --public-ip does not.
    publicIps: () => ({}),
    claim(announcement) {
      if (equalJson(announcement, claimed)) return
      claimed = announcement
      loop.mark('claim')
    },
    async announce(announcement) {
      this.claim(announcement)
    },
    complete: async () => undefined,
    report: async () => undefined,
    // Nobody looks at nodes here: the log has it.
    warn: () => undefined,
  }
}

const hasAddressOf = (byFamily: EtcdLease['lease']['byFamily'], { byFamily: own }: Announcement): boolean =>
  families.some((family) => own[family] !== undefined && byFamily[family]?.publicIp === own[family].publicIp)
const shown = (subnets: Subnets): string => families.flatMap((family) => subnets[family] ?? []).join(' and ')
