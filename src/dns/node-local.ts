// effect: TUN device, addresses, nftables
// The addresses of a node's own DNS server. Queries to them meet no connection tracking and no NAT, so that none of
// what is wrong with those is wrong with them. Device and rules belong to this process: they leave with it, however it
// ends, and whoever asked the cluster's address then reaches the cluster's servers again.
import { closeSync } from 'node:fs'
import { UserError } from '#daemon/error.ts'
import { NftBatch } from '#kernel/nftables/batch.ts'
import { compare, lookup, meta, notrack, payload, type Expression } from '#kernel/nftables/expression.ts'
import { openNftables, type Nftables } from '#kernel/nftables/nftables.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { openTun } from '#kernel/tun.ts'
import { parseIp } from '#lib/ip.ts'

export const deviceName = 'fairway-dns'
export const tableName = 'fairway-node-local-dns'

/** Priority of the raw table: before connection tracking. */
const raw = -300
const protocols = { tcp: 6, udp: 17 } as const

/**
 * Takes the addresses for this process, until it is disposed or the process ends. Needs CAP_NET_ADMIN. Throws a
 * UserError where it cannot: another process has them, or the kernel is not able to.
 */
export function holdNodeLocal(addresses: readonly string[], ports: readonly number[]): Disposable {
  const stack = new DisposableStack()
  try {
    const tun = openTun(deviceName, undefined, { persistent: false })
    stack.defer(() => closeSync(tun))
    addAddresses(addresses)
    for (const family of [4, 6] as const) {
      const bytes = addresses
        .map((address) => parseIp(address)!)
        .filter(({ length }) => length === (family === 4 ? 4 : 16))
      if (bytes.length > 0) stack.use(addRules(family, bytes, ports))
    }
    return stack
  } catch (error) {
    stack.dispose()
    throw explain(error)
  }
}

function addAddresses(addresses: readonly string[]): void {
  using route = openRoute()
  route.setLink(deviceName, { up: true })
  for (const address of addresses)
    route.addAddress({ link: deviceName, cidr: `${address}/${address.includes(':') ? 128 : 32}` })
}

function addRules(family: 4 | 6, addresses: readonly Uint8Array[], ports: readonly number[]): Nftables {
  const nftables = openNftables(family)
  const batch = new NftBatch(family, tableName)
  batch.addTable('queries to the DNS server of this node', { owned: true })
  batch.addSet({ name: 'addresses', key: [family === 4 ? 'ipv4' : 'ipv6'] })
  for (const address of addresses) batch.addElement('addresses', address)
  for (const hook of ['prerouting', 'output'] as const)
    batch.addChain(hook, { base: { type: 'filter', hook, priority: raw } })
  for (const protocol of Object.values(protocols))
    for (const port of ports) {
      batch.addRule('prerouting', untracked(family, protocol, 'destination', port))
      batch.addRule('output', untracked(family, protocol, 'destination', port))
      batch.addRule('output', untracked(family, protocol, 'source', port))
    }
  try {
    nftables.commit(batch)
    return nftables
  } catch (error) {
    nftables[Symbol.dispose]()
    throw error
  }
}

/** Where one of the addresses and the port are the packet's destination, or its source. */
function untracked(
  family: 4 | 6,
  protocol: number,
  end: 'source' | 'destination',
  port: number,
): readonly Expression[] {
  const length = family === 4 ? 4 : 16
  const offset = (family === 4 ? 12 : 8) + (end === 'source' ? 0 : length)
  return [
    meta(0, 'protocol'),
    compare(0, true, Uint8Array.of(protocol)),
    payload(1, 'transport', end === 'source' ? 0 : 2, 2),
    compare(1, true, Uint8Array.of(port >> 8, port & 0xff)),
    payload(4, 'network', offset, length),
    lookup('addresses', 4),
    notrack,
  ]
}

function explain(error: unknown): UserError {
  const { code, message } = error as NodeJS.ErrnoException
  const remedies: Readonly<Record<string, string>> = {
    EBUSY: 'stop the other node-local DNS server of this node first',
    EEXIST: 'stop whatever has these addresses or this table, or give others with --node-local',
    EPERM: 'run as root, or with CAP_NET_ADMIN',
    EACCES: 'run as root, or with CAP_NET_ADMIN',
    ENOENT: 'the kernel needs TUN devices and nftables: load the modules tun and nf_tables, and mount /dev/net/tun',
    EOPNOTSUPP: 'the kernel must be Linux 5.12 or later',
  }
  const remedy = remedies[code ?? '']
  return new UserError(`node-local addresses cannot be taken: ${message}`, {
    code: 'NodeLocal',
    ...(remedy === undefined ? {} : { remedy }),
    cause: error,
  })
}
