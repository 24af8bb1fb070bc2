// Bridges of a machine: which interface is one, and behind which of its ports somebody lives.

import type { Machine } from '#trace/machine.ts'

export type Port = {
  readonly name: string
  /** whether it sends back what came in by it; undefined: not known */
  readonly hairpin?: boolean
}

export function isBridge(machine: Machine, device: string): boolean {
  const link = machine.links?.find(({ name }) => name === device)
  if (link?.kind !== undefined) return link.kind === 'bridge'
  return (machine.links?.some(({ master }) => master === device) ?? false) || /^(cni|br|docker|cbr|virbr)/.test(device)
}

/** The port of the one with this address: by its veth pair, or by its hardware address; else a name for it. */
export function portOf(machine: Machine, bridge: string, own: Machine, ip: string): Port {
  const ports = machine.links?.filter(({ master }) => master === bridge) ?? []
  const peer = own.links?.find(({ addresses }) => addresses?.some((address) => address.ip === ip))?.peer
  const mac = machine.neighbours?.find((neighbour) => neighbour.ip === ip && neighbour.device === bridge)?.mac
  const behind = machine.forwarding?.find((entry) => entry.mac === mac && entry.master === bridge)?.device
  const link =
    ports.find(({ name, index }) => peer === name || peer === `if${index}`) ?? ports.find(({ name }) => name === behind)
  if (link !== undefined) return { name: link.name, ...(link.hairpin !== undefined && { hairpin: link.hairpin }) }
  // Which port it is may not be known; what all of them do is.
  const settings = new Set(ports.map(({ hairpin }) => hairpin))
  const [common] = settings.size === 1 ? settings : []
  return { name: `the port of ${own.name}`, ...(common !== undefined && { hairpin: common }) }
}
