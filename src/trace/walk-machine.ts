// One packet through one machine: in by an interface or made there; out by an interface, to a process, or ended.

import { passHook, type Station } from '#trace/hooks.ts'
import type { Machine } from '#trace/machine.ts'
import { familyOf, type Packet } from '#trace/packet.ts'
import type { Hook, Place } from '#trace/place.ts'
import { lookupRoute, renderRoute, type RouteChoice, type Routed } from '#trace/route/lookup.ts'
import { believesSource } from '#trace/route/reverse-path.ts'
import { sourceAddress } from '#trace/route/source.ts'
import { stationsOf } from '#trace/stations.ts'
import {
  type CallError,
  type End,
  type Ended,
  fork,
  lacks,
  no,
  type Passed,
  type Step,
  type Way,
  withPacket,
  withShare,
  withStep,
  yes,
} from '#trace/way.ts'
import type { Budget } from '#trace/chain/chain.ts'

export type Entry =
  | { readonly kind: 'made' }
  /** device undefined: not known */
  | { readonly kind: 'arrives'; readonly device: string | undefined; readonly bridgePort?: string }
  /** between two ports of a bridge, past the machine's own routing */
  | { readonly kind: 'bridged'; readonly device: string; readonly bridgePort: string }

/** How a packet leaves a machine. */
export type Exit =
  | { readonly kind: 'local'; readonly way: Way }
  /** device undefined: the inputs do not tell where */
  | { readonly kind: 'sent'; readonly way: Way; readonly device?: string; readonly via?: string }
  | { readonly kind: 'ended'; readonly way: Way; readonly end: End }

export type WalkOptions = { readonly budget: Budget; readonly all: boolean }

type Walker = {
  readonly machine: Machine
  readonly stations: readonly Station[]
  readonly options: WalkOptions
}

export function walkMachine(machine: Machine, way: Way, entry: Entry, options: WalkOptions): readonly Exit[] {
  const walker: Walker = { machine, stations: stationsOf(machine), options }
  if (entry.kind === 'made') return made(walker, way)
  const arriving = withPacket(forgetConnection(way), {
    ...(entry.device === undefined ? {} : { inInterface: entry.device }),
    outInterface: '',
    ...(entry.bridgePort !== undefined && { bridgePort: entry.bridgePort }),
  })
  return arrive(walker, arriving, entry.kind === 'bridged')
}

/** What belongs to the machine that it left: its interfaces, its connection, its mark. */
function forgetConnection(way: Way): Way {
  const { connection: _, inInterface: _in, outInterface: _out, bridgePort: _port, balanced: _b, ...packet } = way.packet
  return { ...way, packet: { ...packet, mark: 0 } }
}

const placeAt = ({ machine, options }: Walker, hook: Hook): Place => placeOn(machine, hook, options)

export const placeOn = (machine: Machine, hook: Hook, options: WalkOptions): Place => ({
  machine,
  hook,
  budget: options.budget,
  all: options.all,
  ownAddress: (device, family) =>
    device === '' || device === undefined
      ? family === 4
        ? '127.0.0.1'
        : '::1'
      : (sourceAddress(machine, family, device, '') ?? '?'),
})

const pass = (walker: Walker, hook: Hook, way: Way, reroute?: (way: Way) => readonly Passed[]): readonly Passed[] =>
  passHook(walker.stations, way, placeAt(walker, hook), reroute).map(straightReset)

/** Across a bridge no incoming interface is shown there (net/bridge/br_netfilter_hooks.c, br_nf_post_routing). */
function passOut(walker: Walker, way: Way): readonly Passed[] {
  const { bridgePort, inInterface, outInterface } = way.packet
  if (bridgePort === undefined || inInterface === undefined || inInterface !== outInterface)
    return pass(walker, 'postrouting', way)
  return pass(walker, 'postrouting', withPacket(way, { inInterface: '' })).map((passed) => ({
    ...passed,
    way: withPacket(passed.way, { inInterface }),
  }))
}

/** Goes on with the ways that a hook let pass. */
const then = (passed: readonly Passed[], next: (way: Way) => readonly Exit[]): readonly Exit[] =>
  passed.flatMap(({ way, end }) => (end === undefined ? next(way) : [{ kind: 'ended' as const, way, end }]))

/** What IPVS took goes its own way. */
const thenBalanced = (
  walker: Walker,
  passed: readonly Passed[],
  next: (way: Way) => readonly Exit[],
): readonly Exit[] =>
  passed.flatMap((item) =>
    item.end?.kind === 'balanced' ? sendBalanced(walker, item.way, item.end) : then([item], next),
  )

const ended = (way: Way, end: End): Exit => ({ kind: 'ended', way, end })
const exitOf = ({ way, end }: Ended): Exit => ended(way, end)

const step = (
  { machine }: Walker,
  place: string,
  effect: string,
  matched: readonly string[],
  weight: Step['weight'],
): Step => ({
  machine: machine.name,
  place,
  matched,
  effect,
  weight,
})

function arrive(walker: Walker, from: Way, isBridged: boolean): readonly Exit[] {
  const ingress = from.packet.inInterface === undefined ? [{ way: from }] : pass(walker, 'ingress', from)
  return then(ingress, (entered) =>
    then(pass(walker, 'prerouting', entered), (way) => {
      // What a bridge carries is routed only once its destination has been changed.
      if (isBridged && way.packet.destination === from.packet.destination) return forwardBridged(walker, way)
      return fork(
        way,
        believesSource(walker.machine, way.packet),
        (believed) => routeArrived(walker, believed),
        (left, why) => [
          ended(withStep(left, step(walker, 'routing', `dropped: ${why}`, [], 'act')), { kind: 'drop', why }),
        ],
      )
    }),
  )
}

function forwardBridged(walker: Walker, way: Way): readonly Exit[] {
  const device = way.packet.inInterface!
  const bridged = withPacket(way, { outInterface: device })
  return then(pass(walker, 'forward', bridged), (forwarded) =>
    then(passOut(walker, forwarded), (sent) => [{ kind: 'sent', way: sent, device, via: sent.packet.destination }]),
  )
}

const queryFor = (packet: Packet, incoming: string | undefined) => ({
  family: familyOf(packet),
  destination: packet.destination,
  source: packet.source,
  mark: packet.mark,
  incoming,
  protocol: packet.protocol,
  sourcePort: packet.sourcePort,
  destinationPort: packet.destinationPort,
})

function routeArrived(walker: Walker, way: Way): readonly Exit[] {
  const choices = lookupRoute(walker.machine, queryFor(way.packet, way.packet.inInterface))
  return choices.flatMap((choice) => {
    const chosen = withShare(way, choice.share)
    const { routed } = choice
    switch (routed.kind) {
      case 'local':
        return toProcess(walker, chosen)
      case 'forward':
        return forward(walker, chosen, routed)
      case 'refused':
        return [exitOf(refusedRoute(walker, chosen, routed))]
      case 'unknown':
        return routeUnknown(walker, chosen, routed.missing)
    }
  })
}

/** An endpoint that rules chose is taken to be elsewhere; of any other address it is not known. */
function routeUnknown(walker: Walker, way: Way, missing: string): readonly Exit[] {
  const { packet } = way
  const goesOn = (next: Way) => forward(walker, lacks(next, missing), undefined)
  if (packet.connection?.destinationNat !== undefined || missing === 'ip route') return goesOn(way)
  const condition = `destination ${packet.destination} is LOCAL here`
  return fork(way, { kind: 'maybe', condition, missing: 'ip addr' }, (local) => toProcess(walker, local), goesOn)
}

const routeAnswers = {
  'no route': ['icmp-net-unreachable', 'icmp6-no-route'],
  unreachable: ['icmp-host-unreachable', 'icmp6-no-route'],
  prohibit: ['icmp-admin-prohibited', 'icmp6-adm-prohibited'],
} as const

/** What a call fails with where its own machine has no way (net/ipv4/fib_semantics.c, fib_props). */
const routeErrors = {
  'no route': 'ENETUNREACH',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  blackhole: 'EINVAL',
} as const

/** `hears`: who, where the packet was made here; no packet tells of it then. */
function refusedRoute(
  walker: Walker,
  way: Way,
  { why, by }: Extract<Routed, { kind: 'refused' }>,
  hears?: CallError['hears'],
): Ended {
  const marked = (effect: string) => withStep(way, step(walker, 'routing', effect, [], 'act'))
  const call = hears && { call: { error: routeErrors[by], hears } }
  if (by === 'blackhole' || hears === 'datagrams')
    return { way: marked(`dropped: ${why}`), end: { kind: 'drop', why, ...call } }
  const how = routeAnswers[by][familyOf(way.packet) === 4 ? 0 : 1]
  return { way: marked(`refused: ${why}`), end: { kind: 'reject', with: how, ...call } }
}

function toProcess(walker: Walker, way: Way): readonly Exit[] {
  const here = withStep(
    withPacket(way, { outInterface: '' }),
    step(walker, 'routing', `${way.packet.destination} is an address of ${walker.machine.name}`, [], 'turn'),
  )
  return thenBalanced(walker, pass(walker, 'input', here), (way) => [{ kind: 'local', way }])
}

/** IPVS sends its packets as if they were made here, whole with the hooks of those. */
function sendBalanced(walker: Walker, from: Way, end: Extract<End, { kind: 'balanced' }>): readonly Exit[] {
  const way = withPacket(from, { balanced: true })
  const towards = end.forward === 'masquerade' ? way.packet.destination : end.server
  return lookupRoute(walker.machine, { ...queryFor(way.packet, ''), destination: towards }).flatMap(
    ({ routed, share }) => {
      const chosen = withShare(way, share)
      if (routed.kind === 'local') return [{ kind: 'local' as const, way: chosen }]
      if (routed.kind === 'refused') return [exitOf(refusedRoute(walker, chosen, routed))]
      const device = routed.kind === 'forward' ? routed.device : undefined
      const known = routed.kind === 'forward' ? chosen : lacks(chosen, routed.missing)
      const out = withPacket(known, device === undefined ? {} : { outInterface: device })
      const via = routed.kind === 'forward' ? (routed.via ?? towards) : towards
      return then(pass(walker, 'output', out), (sent) => postroute(walker, sent, device, via))
    },
  )
}

type Forward = Extract<Routed, { kind: 'forward' }>

function forward(walker: Walker, way: Way, routed: Forward | undefined): readonly Exit[] {
  const { machine } = walker
  const family = familyOf(way.packet)
  const setting = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding'
  const isOff = machine.sysctls?.get(setting) === '0'
  const isBridged = way.packet.bridgePort !== undefined && routed?.device === way.packet.inInterface
  const condition = 'the kernel carries what was translated on a bridge without forwarding (not 6.18)'
  return fork(
    way,
    !isOff ? yes : isBridged ? { kind: 'maybe', condition, missing: 'uname -r' } : no(`${setting} is 0`),
    (next) => forwardOn(walker, next, routed),
    (left) => {
      const why = `${machine.name} does not forward: ${setting} is 0`
      return [ended(withStep(left, step(walker, 'routing', `dropped: ${why}`, [], 'act')), { kind: 'drop', why })]
    },
  )
}

function forwardOn(walker: Walker, way: Way, routed: Forward | undefined): readonly Exit[] {
  const { machine } = walker
  const routedWay = routed === undefined ? withoutOut(way) : onRoute(walker, way, routed)
  return then(pass(walker, 'forward', routedWay), (next) => {
    const mtu = routed && (routed.mtu ?? machine.links?.find(({ name }) => name === routed.device)?.mtu)
    if (mtu !== undefined && mtu > 0 && next.packet.size > mtu) {
      const effect = `refused: ${next.packet.size} bytes do not fit into ${routed!.device} (mtu ${mtu})`
      return [
        ended(withStep(next, step(walker, 'routing', effect, [], 'act')), { kind: 'reject', with: 'icmp-frag-needed' }),
      ]
    }
    return postroute(walker, next, routed?.device, routed?.via ?? next.packet.destination)
  })
}

/**
 * To who came by a port of a bridge the kernel sends a reset straight back, untranslated
 * (net/ipv4/netfilter/nf_reject_ipv4.c): where the packet was translated, it comes from whom nobody asked.
 */
function straightReset(passed: Passed): Passed {
  const { way, end } = passed
  const { connection, bridgePort } = way.packet
  const to = connection?.destinationNat
  if (end?.kind !== 'reject' || end.with !== 'tcp-reset' || bridgePort === undefined) return passed
  if (to === undefined) return { way, end: { ...end, isStraight: true } }
  return { way, end: { ...end, unheard: `the reset comes from ${to.ip}:${to.port}, past conntrack` } }
}

function withoutOut(way: Way): Way {
  const { outInterface: _, ...packet } = way.packet
  return { ...way, packet }
}

function onRoute(walker: Walker, way: Way, routed: Forward): Way {
  const matched = routed.route === undefined ? [] : [renderRoute(routed.route)]
  const via = routed.via === undefined ? '' : ` via ${routed.via}`
  return withStep(
    withPacket(way, { outInterface: routed.device }),
    step(walker, 'routing', `leaves by ${routed.device}${via}`, matched, 'turn'),
  )
}

const postroute = (walker: Walker, way: Way, device: string | undefined, via: string): readonly Exit[] =>
  then(passOut(walker, way), (sent) => leave(walker, sent, device, via))

/** By a device, where the last rules may look at it. */
const leave = (walker: Walker, way: Way, device: string | undefined, via: string): readonly Exit[] =>
  then(device === undefined ? [{ way }] : pass(walker, 'egress', way), (sent) => [
    { kind: 'sent', way: sent, via, ...(device !== undefined && { device }) },
  ])

function made(walker: Walker, from: Way): readonly Exit[] {
  const { machine } = walker
  const fresh = withPacket(forgetConnection(from), { inInterface: '' })
  return routeMade(walker, fresh, 'every socket').flatMap(({ way, end }) => {
    if (end !== undefined) return [ended(way, end)]
    return thenBalanced(
      walker,
      pass(walker, 'output', way, (changed) => routeMade(walker, changed, 'datagrams')).map(failedCall),
      (out) => {
        const { outInterface } = out.packet
        const choices = lookupRoute(machine, queryFor(out.packet, ''))
        const choice = choices.find(({ routed }) => routed.kind === 'forward' && routed.device === outInterface)
        if (outInterface === 'lo') return loopBack(walker, out)
        const via = choice?.routed.kind === 'forward' ? choice.routed.via : undefined
        return then(pass(walker, 'postrouting', out).map(failedCall), (sent) =>
          leave(walker, sent, outInterface, via ?? out.packet.destination),
        )
      },
    )
  })
}

/** Who sends datagrams is told at once where a rule drops or refuses them (net/netfilter/core.c, nf_hook_slow). */
function failedCall(passed: Passed): Passed {
  const { end } = passed
  if ((end?.kind !== 'drop' && end?.kind !== 'reject') || end.call !== undefined) return passed
  return { ...passed, end: { ...end, call: { error: 'EPERM', hears: 'datagrams' } } }
}

/** Chooses the interface, and the source where there is none yet. */
function routeMade(walker: Walker, way: Way, hears: CallError['hears']): readonly Passed[] {
  const { machine } = walker
  return lookupRoute(machine, queryFor(way.packet, '')).map(({ routed, share }: RouteChoice): Passed => {
    const chosen = withShare(way, share)
    switch (routed.kind) {
      case 'local':
        return { way: withSource(withPacket(chosen, { outInterface: 'lo' }), way.packet.destination) }
      case 'refused':
        return refusedRoute(walker, chosen, routed, hears)
      case 'unknown':
        return { way: withSource(lacks(withoutOut(chosen), routed.missing), '?') }
      case 'forward': {
        const source =
          routed.source ??
          sourceAddress(machine, familyOf(way.packet), routed.device, routed.via ?? way.packet.destination)
        return { way: onRoute(walker, withSource(chosen, source ?? '?'), routed) }
      }
    }
  })
}

/** Chosen now, if it was not yet: the sender knows its packet by it. */
function withSource(way: Way, source: string): Way {
  if (way.packet.source !== '') return way
  const sent = way.sent.source === '' ? { ...way.sent, source } : way.sent
  return { ...withPacket(way, { source }), sent }
}

/** To itself: out by lo, and in again, where the connection is still known. */
function loopBack(walker: Walker, way: Way): readonly Exit[] {
  return then(pass(walker, 'postrouting', way), (sent) =>
    then(pass(walker, 'prerouting', withPacket(sent, { inInterface: 'lo', outInterface: '' })), (back) =>
      routeArrived(walker, back),
    ),
  )
}
