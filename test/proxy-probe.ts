// Connections in the network of proxy-topology.ts, and who has to answer them.
import * as assert from 'node:assert/strict'
import type { Family } from '#proxy/state.ts'
import { addresses, type Name, stranger } from '#test/proxy-topology.ts'
import type { ConnectOptions, Tally, Topology } from '#test/topology.ts'

/** In a virtual machine, connections are slow. */
const fairTimes = process.env['FAIRWAY_SHORT'] === '1' ? 30 : process.env['FAIRWAY_SOAK'] === '1' ? 10_000 : 90

export type To = {
  /** an address of the cluster: 4 -> '10.96.0.1' */
  readonly to: (family: Family) => string
  readonly port: number
}
export const cluster = (i: number): To => ({
  to: (family) => (family === 4 ? `10.96.0.${i}` : `fd00:96::${i}`),
  port: 80,
})
export const nodePort = (node: 'node1' | 'node2', port: number): To => ({
  to: (family) => addresses[node][family],
  port,
})
export const at = (v4: string, v6: string): To => ({ to: (family) => (family === 4 ? v4 : v6), port: 80 })

/**
 * `a b c`: these pods answer, in equal shares. `a@client`: and see that address. A single word in capitals: an error;
 * `timeout`: nothing comes; `nobody`: one of these.
 */
export type Probe = readonly [from: Name | 'stranger', to: To, want: string]

const sourceOf = (word: string, family: Family): string => {
  const bridge = { 4: ['10.244.0.1', '10.244.1.1'], 6: ['fd00:244::1', 'fd00:244:0:1::1'] }[family]
  if (word.startsWith('bridge')) return bridge[Number(word.at(-1)) - 1]!
  const address = addresses[word as keyof typeof addresses][family]
  return address.replace('fd00:244:0:0::', 'fd00:244::')
}

/** Whether each of n equal shares was had often enough; fails below one in 10^9. */
function assertShares(counts: readonly number[], of: number): void {
  const share = of / counts.length
  const spread = 6.2 * Math.sqrt(share * (1 - 1 / counts.length))
  for (const count of counts) assert.ok(Math.abs(count - share) <= spread + 1, `${counts.join(' ')} of ${of}`)
}

export function check(tally: Tally, want: string, family: Family, times: number): void {
  if (want === 'nobody')
    return assert.ok(
      Object.keys(tally).every((answer) => /^[A-Z]|^timeout$/.test(answer)),
      JSON.stringify(tally),
    )
  if (/^[A-Z]|^timeout$/.test(want)) return assert.deepEqual(tally, { [want]: times })
  const pods = want.split(' ').map((word) => word.split('@'))
  const byPod = new Map<string, number>()
  for (const [answer, count] of Object.entries(tally)) {
    const [pod = '', source] = answer.split(' ')
    byPod.set(pod, (byPod.get(pod) ?? 0) + count)
    const seen = pods.find(([name]) => name === pod)?.[1]
    if (seen !== undefined) assert.equal(source, sourceOf(seen, family), `${pod} saw`)
  }
  assert.deepEqual([...byPod.keys()].sort(), pods.map(([pod]) => pod).sort(), JSON.stringify(tally))
  assertShares([...byPod.values()], times)
}

export type ProbeOptions = {
  /** both where nothing is said */
  readonly protocols?: readonly ('tcp' | 'udp')[]
  /** just as many connections as it takes that no pod is missed in one of 10^9 runs */
  readonly few?: boolean
}

/** Throws where others answer, or see another source. */
export async function probe(
  net: Topology<Name>,
  [from, { to, port }, want]: Probe,
  family: Family,
  { protocols = ['tcp', 'udp'], few = false }: ProbeOptions = {},
): Promise<void> {
  const place = from === 'stranger' ? net.client : net[from]
  for (const protocol of protocols) {
    const isSilent = want === 'timeout' || want === 'nobody'
    const pods = want.split(' ').length
    const times = pods > 1 ? (few ? 12 + 16 * pods : fairTimes) : isSilent ? 1 : few ? 3 : 10
    const options: ConnectOptions = {
      host: to(family),
      port,
      protocol,
      times,
      timeoutMs: isSilent ? 200 : 3000,
      ...(place === net.client && { localAddress: (from === 'stranger' ? stranger : addresses.client)[family] }),
    }
    const tally = await place.connect(options)
    try {
      check(tally, want, family, times)
    } catch (error) {
      assert.fail(`${from} to ${options.host}:${port}/${protocol}: ${(error as Error).message}`)
    }
  }
}
