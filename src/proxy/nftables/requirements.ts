// effect: netlink sockets
// What nftables mode needs of the kernel, tried out one by one in a table that never comes to be: it is deleted in the
// same transaction.
import { NftBatch } from '#kernel/nftables/batch.ts'
import * as e from '#kernel/nftables/expression.ts'
import { type Nftables, NftablesError, openNftables } from '#kernel/nftables/nftables.ts'
import type { Family } from '#proxy/state.ts'

type Requirement = { readonly name: string; readonly module: string; try(batch: NftBatch, family: Family): void }

const table = 'fairway-probe'
const rule =
  (...expressions: readonly e.Expression[]) =>
  (batch: NftBatch) =>
    batch.addRule('dnat', expressions)

const requirements: readonly Requirement[] = [
  { name: 'nftables', module: 'nf_tables', try: () => undefined },
  {
    name: 'address translation in nftables',
    module: 'nft_chain_nat',
    try: (batch, family) =>
      batch.addRule('dnat', [
        e.load(0, new Uint8Array(16)),
        e.load(4, new Uint8Array(4)),
        e.destinationNat(family, 0, 4),
      ]),
  },
  { name: 'masquerading', module: 'nft_masq', try: (batch) => batch.addRule('snat', [e.masquerade]) },
  { name: 'random numbers', module: 'nft_numgen', try: rule(e.randomNumber(0, 3, 0)) },
  {
    name: 'local addresses',
    module: 'nft_fib_ipv4, nft_fib_ipv6',
    try: rule(e.addressType(0, 'destination'), e.compare(0, true, e.localAddressType)),
  },
  {
    name: 'refusals',
    module: 'nft_reject_ipv4, nft_reject_ipv6',
    try: (batch, family) => batch.addRule('dnat', [e.reject('unreachable', family)]),
  },
  { name: 'connection tracking', module: 'nft_ct', try: rule(e.connectionStatus(0)) },
  {
    name: 'keys of several parts',
    module: 'Linux 5.6 or later',
    try: (batch) => batch.addSet({ name: 'ranges', key: ['protocol', 'port'], interval: true }),
  },
  {
    name: 'maps that rules change',
    module: 'Linux 5.13 or later',
    try(batch) {
      batch.addSet({ name: 'memory', key: ['number'], data: ['number'], dynamic: { timeoutMs: 1000 }, size: 10 })
      const [key, data] = [e.load(0, e.hostNumber(1)), e.load(1, e.hostNumber(1))]
      batch.addRule('dnat', [
        key,
        data,
        e.changeSet('memory', 'delete', 0, { data: 1 }),
        e.changeSet('memory', 'add', 0, { data: 1, timeoutMs: 1000 }),
      ])
    },
  },
]

/** What is missing, in words that name the module or kernel that has it; empty where all is there. */
export function missingRequirements(family: Family, netns?: string): string[] {
  using kernel = openNftables(family, netns)
  const missing = requirements.filter((requirement) => !isThere(requirement, family, kernel))
  return missing.map(({ name, module }) => `${name} (${module})`)
}

function isThere(requirement: Requirement, family: Family, kernel: Nftables): boolean {
  const batch = new NftBatch(family, table)
  batch.addTable('')
  if (requirement !== requirements[0]) {
    batch.addChain('dnat', { base: { type: 'nat', hook: 'prerouting', priority: -100 } })
    batch.addChain('snat', { base: { type: 'nat', hook: 'postrouting', priority: 100 } })
  }
  requirement.try(batch, family)
  batch.deleteTable()
  try {
    kernel.commit(batch)
    return true
  } catch (error) {
    if (!(error instanceof NftablesError)) throw error
    // Not being allowed is another matter, which is told in its own words.
    if (error.code === 'EPERM') throw error
    return false
  }
}
