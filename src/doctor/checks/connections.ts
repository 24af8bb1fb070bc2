// Connections that the kernel remembers although whom they lead to is gone: UDP has no end, so that a busy sender keeps them.

import { onNode } from '#doctor/remedy.ts'
import type { Case } from '#doctor/checks/check.ts'
import { plural, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { NodeView } from '#doctor/view.ts'
import type { DumpedConnection } from '#kernel/dump/connections.ts'
import { renderEnd } from '#trace/packet.ts'

export function checkConnections({ view, comparison, only }: Case): readonly Finding[] {
  if (view.slices === undefined) return []
  const fronts = new Map<string, { readonly service: string; readonly ends: Set<string> }>()
  for (const { front } of comparison.fronts) {
    if (front.protocol !== 'udp' || front.ip === undefined) continue
    const key = renderEnd(front.ip, front.port)
    const ends = new Set(front.backends.map(({ ip, port }) => renderEnd(ip, port)))
    fronts.set(key, { service: front.service, ends })
  }
  return view.nodes.flatMap((node) => {
    const stale = (node.machine.connections ?? []).flatMap((one) => {
      const front =
        one.protocol === 'udp'
          ? fronts.get(renderEnd(one.original.destination, one.original.destinationPort))
          : undefined
      return front === undefined || front.ends.has(renderEnd(one.reply.source, one.reply.sourcePort))
        ? []
        : [{ one, service: front.service }]
    })
    return stale.length === 0 || (only !== undefined && stale.every(({ service }) => service !== only))
      ? []
      : [toFinding(node, stale)]
  })
}

type Stale = { readonly one: DumpedConnection; readonly service: string }

function toFinding({ name }: NodeView, stale: readonly Stale[]): Finding {
  const services = [...new Set(stale.map(({ service }) => service))]
  const fronts = [...new Set(stale.map(({ one }) => one.original))]
  return finding({
    code: 'StaleFlow',
    about: `node/${name}`,
    nodes: [name],
    services,
    summary: `${name} remembers ${plural(stale.length, 'UDP connection')} to ${someOf(services)} that ${stale.length === 1 ? 'leads' : 'lead'} to nobody who is an endpoint`,
    evidence: stale
      .slice(0, 4)
      .map(
        ({ one: { original, reply, unreplied } }) =>
          `${name}: udp src=${original.source} dst=${original.destination} sport=${original.sourcePort} dport=${original.destinationPort}${unreplied ? ' [UNREPLIED]' : ''} src=${reply.source} sport=${reply.sourcePort}`,
      ),
    consequence: `${someOf(stale.map(({ one }) => one.original.source))} send into the void as long as they use the same port and do not pause; others are not concerned`,
    remedy: [
      ...new Set(
        fronts.map(
          ({ destination, destinationPort }) =>
            `conntrack -D -p udp --orig-dst ${destination} --orig-port-dst ${destinationPort}`,
        ),
      ),
    ].map((run) => onNode(name, run)),
  })
}
