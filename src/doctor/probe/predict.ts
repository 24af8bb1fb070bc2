// What should become of a probe by everything that is known: the shares of its ways, walked through rules, routes and tunnels
// to the process that has the port.

import { fateOf } from '#doctor/fate.ts'
import type { Probe } from '#doctor/probe/plan.ts'
import type { View } from '#doctor/view.ts'
import { toNumber } from '#trace/fraction.ts'
import { firstPacket } from '#trace/packet.ts'
import { TraceError, traceWorld, type TraceRequest } from '#trace/trace.ts'
import { machineNamed, standingOf } from '#trace/world.ts'

/** Shares of new connections; they sum up to one. */
export type Prediction = { readonly works: number; readonly fails: number; readonly unknown: number }

const unknown: Prediction = { works: 0, fails: 0, unknown: 1 }
/** Ranges for documentation stand for whoever is outside. */
const outsider = { 4: '198.51.100.77', 6: '2001:db8::77' } as const

export function predict(view: View, probe: Probe): Prediction {
  const request = requestOf(view, probe)
  if (request === undefined) return unknown
  try {
    const ways = traceWorld(view.world, request)
    const sum = { works: 0, fails: 0, unknown: 0 }
    for (const way of ways) sum[fateOf(view, way)] += toNumber(way.share)
    const whole = sum.works + sum.fails + sum.unknown
    return { works: sum.works / whole, fails: sum.fails / whole, unknown: sum.unknown / whole }
  } catch (error) {
    if (error instanceof TraceError) return unknown
    throw error
  }
}

const dnsPort = 53

function requestOf(view: View, probe: Probe): TraceRequest | undefined {
  const { from, source, node } = probe
  const [protocol, destination, destinationPort] =
    probe.kind === 'name' ? (['udp', probe.server, dnsPort] as const) : [probe.protocol, probe.ip, probe.port]
  const packet = firstPacket({ protocol, source, destination, destinationPort })
  if (from.startsWith('pod/')) return { packet, from: standingOf(view.world, source) }
  if (from === 'client') {
    const outside = outsider[destination.includes(':') ? 6 : 4]
    return { packet: { ...packet, source: outside }, from: { kind: 'outside' }, enters: node }
  }
  const machine = machineNamed(view.world, node)
  return machine && { packet, from: { kind: 'machine', machine } }
}
