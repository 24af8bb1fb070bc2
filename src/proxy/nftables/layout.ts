// The table: its sets and the chains that do not depend on Services. `nft list table ip fairway-proxy` shows all of it;
// the sets carry comments that say what they are for, and every element the name of its Service.
import type { NftBatch } from '#kernel/nftables/batch.ts'
import type { Datatype } from '#kernel/nftables/datatype.ts'
import * as e from '#kernel/nftables/expression.ts'
import { parseCidr, stretches } from '#lib/cidr.ts'
import { parseIp } from '#lib/ip.ts'
import type { NftablesOptions } from '#proxy/nftables/options.ts'
import { partsOf, type Parts } from '#proxy/nftables/registers.ts'
import { dropShape, endpointsSet, frontsSet, refuseShape, type RuleText, slotsSet } from '#proxy/nftables/shape.ts'

/** Clients that can be remembered; beyond this many, a new client gets a random endpoint each time. */
const mostRemembered = 1 << 20
const longestAffinityMs = 10_800_000

/** Writes the table without Services. */
export function writeLayout(batch: NftBatch, options: NftablesOptions): void {
  batch.addTable('Services, by fairway proxy')
  writeSets(batch, options)
  batch.addChain('refuse', { comment: 'no endpoints, or a port that no Service has' })
  batch.addChain('dispatch', { comment: 'finds the Service of a new connection' })
  const parts = partsOf(options.family)
  const chains = {
    prerouting: { hook: 'prerouting', priority: -100 },
    output: { hook: 'output', priority: -100 },
    postrouting: { hook: 'postrouting', priority: 100 },
  } as const
  for (const [name, base] of Object.entries(chains)) batch.addChain(name, { base: { type: 'nat', ...base } })
  const rules = (chain: string, list: readonly RuleText[]) => {
    for (const [expressions, comment] of list) batch.addRule(chain, expressions, comment)
  }
  for (const hook of ['prerouting', 'output']) rules(hook, [[[e.verdict({ kind: 'jump', chain: 'dispatch' })]]])
  rules('refuse', refuseRules(parts))
  rules('dispatch', dispatchRules(parts, options))
  rules('postrouting', postroutingRules(parts, options))
  batch.addElement('shapes', e.hostNumber(refuseShape), { data: { kind: 'goto', chain: 'refuse' } })
  batch.addElement('shapes', e.hostNumber(dropShape), { data: { kind: 'drop' } })
  writeLocal(batch, options)
}

function writeSets(batch: NftBatch, { family }: NftablesOptions): void {
  const ip: Datatype = family === 4 ? 'ipv4' : 'ipv6'
  const tuple = [ip, 'protocol', 'port'] as const
  const shape = ['number', 'number'] as const
  batch.addSet({
    name: 'services',
    key: tuple,
    data: shape,
    comment: 'front end : 0 . shape (NodePorts under address 0)',
  })
  batch.addSet({ name: 'shortcuts', key: tuple, data: shape, comment: 'the same for pods and the node, policy Local' })
  batch.addSet({ name: 'shapes', key: ['number'], data: 'verdict', comment: 'shape : its chain' })
  batch.addSet({ name: 'shortcut-shapes', key: ['number'], data: 'verdict', comment: 'the same for shortcuts' })
  batch.addSet({
    name: 'affinity',
    key: [ip, ...tuple],
    data: ['port', 'number'],
    dynamic: { timeoutMs: longestAffinityMs },
    size: mostRemembered,
    comment: 'client . cluster IP : port . slot; written by the kernel',
  })
  batch.addSet({ name: 'ranges', key: [...tuple, ip], interval: true, comment: 'load balancer . source let in' })
  batch.addSet({ name: 'cluster-ips', key: [ip] })
  batch.addSet({ name: 'hairpin', key: [ip, ip], comment: 'endpoints here, as source and destination' })
  batch.addSet({ name: 'pods', key: [ip], interval: true })
  batch.addSet({ name: 'service-cidrs', key: [ip], interval: true, comment: 'cluster IPs, given to a Service or not' })
  batch.addSet({ name: 'node-ips', key: [ip], comment: 'where NodePorts answer' })
}

/**
 * The maps of Services with about so many endpoints. `size`: of a map that begins with many, since the kernel fills one of
 * known size a fifth faster than one that grows.
 */
export function writeBucket(batch: NftBatch, endpoints: number, { family }: NftablesOptions, size?: number): void {
  const ip: Datatype = family === 4 ? 'ipv4' : 'ipv6'
  const tuple = [ip, 'protocol', 'port'] as const
  batch.addSet({
    name: frontsSet(endpoints),
    key: tuple,
    data: ['number', ...tuple],
    comment: 'front end : 0 . its cluster IP',
  })
  batch.addSet({
    name: endpointsSet(endpoints),
    key: [...tuple, 'number'],
    data: [ip, 'port'],
    ...(size !== undefined && { size }),
    comment: 'cluster IP . index : endpoint (local ones from 0x10000, slots from 0x40000000)',
  })
  batch.addSet({
    name: slotsSet(endpoints),
    key: [...tuple, 'number'],
    data: ['number', 'number'],
    comment: 'cluster IP . index : 0 . slot',
  })
}

function refuseRules({ family, registers: { source } }: Parts): RuleText[] {
  const tcp = Uint8Array.of(6)
  return [
    [[e.meta(source, 'protocol'), e.compare(source, true, tcp), e.reject('reset', family)]],
    [[e.reject('unreachable', family)]],
  ]
}

function dispatchRules(parts: Parts, options: NftablesOptions): RuleText[] {
  const { destination, port, index } = parts.registers
  const toShape = [e.load(index, e.hostNumber(0)), e.lookup('services', destination, { to: port })]
  const go = e.lookup('shapes', index, { toVerdict: true })
  return [
    [[...parts.tuple, ...toShape, go], 'cluster IPs, external addresses'],
    [
      [
        parts.loadDestination(destination),
        e.lookup('cluster-ips', destination),
        e.verdict({ kind: 'goto', chain: 'refuse' }),
      ],
      'no such port',
    ],
    [[...parts.anyTuple, ...toShape, ...toNode(parts, options), go], 'NodePorts'],
  ]
}

/** To an address of this node that NodePorts answer on; the index must survive. */
function toNode({ loadDestination, registers, family }: Parts, { nodePortIps }: NftablesOptions): e.Expression[] {
  const { endpointIp, source } = registers
  if (nodePortIps !== 'all') return [loadDestination(source), e.lookup('node-ips', source)]
  const isLocal = [e.addressType(endpointIp, 'destination'), e.compare(endpointIp, true, e.localAddressType)]
  const loopback =
    family === 4
      ? [
          e.bitwise(endpointIp, Uint8Array.of(255, 0, 0, 0), new Uint8Array(4)),
          e.compare(endpointIp, false, Uint8Array.of(127, 0, 0, 0)),
        ]
      : [e.compare(endpointIp, false, parseIp('::1')!)]
  return [...isLocal, loadDestination(endpointIp), ...loopback]
}

/**
 * The mark is cleared, so that a packet that passes twice is not masqueraded twice. What still goes to a cluster IP here no
 * Service took up, nor another proxy; dropped before the kernel has noted its connection, it is asked about again when its
 * Service has come.
 */
function postroutingRules(parts: Parts, { masqueradeMark, serviceCidrs }: NftablesOptions): RuleText[] {
  const { source, destination } = parts.registers
  const zero = e.hostNumber(0)
  const marked = [
    e.meta(source, 'mark'),
    e.bitwise(source, e.hostNumber(masqueradeMark), zero),
    e.compare(source, false, zero),
  ]
  const clear = [e.meta(source, 'mark'), e.bitwise(source, e.hostNumber(~masqueradeMark), zero), e.setMark(source)]
  const translated = [
    e.connectionStatus(source),
    e.bitwise(source, e.hostNumber(0x20), zero),
    e.compare(source, false, zero),
  ]
  const toItself = [parts.loadSource(source), parts.loadDestination(destination), e.lookup('hairpin', source)]
  const unallocated = [
    parts.loadDestination(destination),
    e.lookup('service-cidrs', destination),
    e.verdict({ kind: 'drop' }),
  ]
  return [
    ...(serviceCidrs.length === 0 ? [] : [[unallocated, 'a cluster IP that no Service has'] as const]),
    [[...marked, ...clear, e.masquerade], 'marked'],
    [[...translated, ...toItself, e.masquerade], 'an endpoint that reaches itself'],
  ]
}

function writeLocal(batch: NftBatch, { local, nodePortIps, serviceCidrs }: NftablesOptions): void {
  const fill = (set: string, cidrs: readonly string[]) => {
    for (const { start, end } of stretches(cidrs.flatMap((text) => parseCidr(text) ?? []))) {
      batch.addElement(set, start)
      if (end !== undefined) batch.addElement(set, end, { isEnd: true })
    }
  }
  if (local.kind === 'cidr') fill('pods', [local.cidr])
  fill('service-cidrs', serviceCidrs)
  if (nodePortIps !== 'all')
    for (const ip of nodePortIps) {
      const bytes = parseIp(ip)
      if (bytes !== undefined && !isLoopback(bytes)) batch.addElement('node-ips', bytes)
    }
}

const isLoopback = (bytes: Uint8Array) =>
  bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0))
