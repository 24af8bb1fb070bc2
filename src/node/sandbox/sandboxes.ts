// effect: network namespaces and files of pods
// The sandboxes of the runtime: what the containers of a pod share. That is a network namespace with its place on the
// node's network, the files that name hosts, and the shared memory.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#daemon/clock.ts'
import { mountTmpfs, unmount } from '#kernel/mount.ts'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { attach, detach } from '#node/cni/attach.ts'
import type { LeaseStore } from '#node/cni/lease-store.ts'
import type { Network } from '#node/cni/network.ts'
import { renderResolvConf } from '#lib/resolv-conf.ts'
import { RuntimeError, type Sandbox, type SandboxConfig } from '#node/runtime.ts'
import { netnsPath, type Layout } from '#node/sandbox/layout.ts'
import { removeSandboxRecord, saveSandbox, type SandboxRecord } from '#node/sandbox/records.ts'

export type SandboxesOptions = {
  readonly layout: Layout
  readonly leases: LeaseStore
  readonly clock: Clock
  /** undefined until the node has its pod CIDR */
  readonly network: () => Network | undefined
  readonly onChange: (sandboxId: string) => void
}

const ifname = 'eth0'

export class Sandboxes {
  readonly #o: SandboxesOptions
  readonly #records = new Map<string, SandboxRecord>()

  constructor(options: SandboxesOptions) {
    this.#o = options
  }

  records(): readonly SandboxRecord[] {
    return [...this.#records.values()]
  }
  record(id: string): SandboxRecord | undefined {
    return this.#records.get(id)
  }
  list(): readonly Sandbox[] {
    return this.records().map(viewOf)
  }

  /** Takes up a sandbox of an earlier agent: whole, or stopped where it was half made or its namespace is gone. */
  adopt(record: SandboxRecord): void {
    this.#records.set(record.id, record)
    if (record.state === 'stopped') return
    const isWhole = record.state === 'ready' && (record.config.hostNetwork || isPinned(netnsPath(record.id)))
    if (!isWhole) this.stop(record.id)
    else if (!existsSync(this.#o.layout.sandboxFiles(record.id))) this.#writeFiles(record)
  }

  run(config: SandboxConfig): string {
    const { clock, layout } = this.#o
    const id = randomBytes(32).toString('hex')
    const record: SandboxRecord = { id, config, createdAt: clock.now(), state: 'creating', ips: [] }
    this.#save(record)
    try {
      this.#writeFiles(record)
      const ips = config.hostNetwork ? [] : this.#join(record)
      this.#save({ ...record, state: 'ready', ips })
      return id
    } catch (error) {
      this.stop(id)
      removeSandboxRecord(layout, id)
      this.#records.delete(id)
      throw error
    }
  }

  /** Gives everything back that costs something; the record stays until `remove`. Repeatable. */
  stop(id: string): void {
    const { layout, leases, network } = this.#o
    const record = this.#records.get(id)
    if (record === undefined) return
    if (!record.config.hostNetwork) {
      detach(network()?.name ?? 'cbr0', leases, { containerId: id, ifname })
      deleteNetns(netnsPath(id))
    }
    unmount(join(layout.sandboxFiles(id), 'shm'))
    rmSync(layout.sandboxFiles(id), { recursive: true, force: true })
    if (record.state !== 'stopped') this.#save({ ...record, state: 'stopped' })
  }

  remove(id: string): void {
    this.stop(id)
    removeSandboxRecord(this.#o.layout, id)
    if (this.#records.delete(id)) this.#o.onChange(id)
  }

  #join({ id, config }: SandboxRecord): readonly string[] {
    const network = this.#o.network()
    if (network === undefined) throw new RuntimeError('Failed', 'network is not ready: the node has no pod CIDR yet')
    const netns = netnsPath(id)
    createNetns(netns)
    // A pod that had to be made anew, as after a reboot, keeps its addresses where it can.
    const before = this.records().filter((one) => one.config.metadata.uid === config.metadata.uid && one.id !== id)
    const preferred = before.flatMap(({ ips }) => ips)
    const { addresses } = attach(network, this.#o.leases, { containerId: id, ifname }, netns, {
      preferred,
      hostPorts: config.portMappings,
    })
    // As other runtimes have it, so that a server needs no capability for port 80, and anyone may ping.
    const defaults = { 'net/ipv4/ip_unprivileged_port_start': 0, 'net/ipv4/ping_group_range': '0 2147483647' }
    const own = Object.entries(config.sysctls).map(([name, value]) => [name.replaceAll('.', '/'), value])
    writeSysctls({ ...defaults, ...Object.fromEntries(own) }, netns)
    return addresses.map(({ ip }) => ip)
  }

  #writeFiles({ id, config }: SandboxRecord): void {
    const folder = this.#o.layout.sandboxFiles(id)
    mkdirSync(join(folder, 'shm'), { recursive: true })
    mountTmpfs(join(folder, 'shm'), 'mode=1777,size=65536k')
    writeFileSync(join(folder, 'resolv.conf'), renderResolvConf(config.dns))
    writeFileSync(join(folder, 'hostname'), `${config.hostname}\n`)
  }

  #save(record: SandboxRecord): void {
    saveSandbox(this.#o.layout, record)
    this.#records.set(record.id, record)
    this.#o.onChange(record.id)
  }
}

/** A file on nsfs stands for a namespace; one that merely has the name is what a pin leaves behind. */
function isPinned(path: string): boolean {
  return existsSync(path) && statfsSync(path).type === nsfsMagic
}
const nsfsMagic = 0x6e736673

function viewOf({ id, config, createdAt, state, ips }: SandboxRecord): Sandbox {
  const { metadata, hostNetwork, labels, annotations } = config
  return {
    id,
    metadata,
    state: state === 'ready' ? 'ready' : 'notReady',
    createdAt,
    ips,
    hostNetwork,
    ...(!hostNetwork && { netns: netnsPath(id) }),
    labels,
    annotations,
  }
}
