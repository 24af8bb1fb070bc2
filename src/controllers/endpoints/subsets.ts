// The subsets of an Endpoints object in their canonical form: each address stands once, under the ports that it has.

import type { EndpointAddress, EndpointSubset } from '#api/core.ts'

type Port = NonNullable<EndpointSubset['ports']>[number]
type Entry = { readonly address: EndpointAddress; readonly ready: boolean }

/** Expands subsets to (address, port) pairs and packs those with the same ports together again, in a fixed order. */
export function repack(subsets: readonly EndpointSubset[]): readonly EndpointSubset[] {
  const byPort = new Map<string, { readonly port: Port | undefined; readonly entries: Map<string, Entry> }>()
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    for (const port of ports.length === 0 ? [undefined] : ports) {
      const key = port === undefined ? '' : portKey(port)
      if (!byPort.has(key)) byPort.set(key, { port, entries: new Map() })
      const { entries } = byPort.get(key)!
      for (const address of addresses) note(entries, address, true)
      for (const address of notReadyAddresses) note(entries, address, false)
    }
  }
  const packed = new Map<string, { readonly ports: Port[]; readonly entries: readonly Entry[] }>()
  for (const { port, entries } of byPort.values()) {
    const sorted = [...entries.values()].sort((a, b) => compareAddresses(a.address, b.address))
    const key = sorted.map(({ address, ready }) => `${addressKey(address)}|${ready}`).join(',')
    if (!packed.has(key)) packed.set(key, { ports: [], entries: sorted })
    if (port !== undefined) packed.get(key)!.ports.push(port)
  }
  return [...packed.values()].map(subsetOf).sort((a, b) => compareText(subsetKey(a), subsetKey(b)))
}

/** Where an address is both ready and not ready at a port, it is not ready. */
function note(entries: Map<string, Entry>, address: EndpointAddress, ready: boolean): void {
  const key = addressKey(address)
  const known = entries.get(key)
  entries.set(key, { address: known?.address ?? address, ready: ready && known?.ready !== false })
}

function subsetOf({ ports, entries }: { readonly ports: Port[]; readonly entries: readonly Entry[] }): EndpointSubset {
  const addresses = entries.filter(({ ready }) => ready).map(({ address }) => address)
  const notReadyAddresses = entries.filter(({ ready }) => !ready).map(({ address }) => address)
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
    ...(ports.length === 0 ? {} : { ports: ports.toSorted((a, b) => compareText(portKey(a), portKey(b))) }),
  }
}

const addressKey = ({ ip, targetRef }: EndpointAddress): string => `${ip}|${targetRef?.uid ?? ''}`
const portKey = ({ name = '', protocol = 'TCP', port, appProtocol = '' }: Port): string =>
  `${name}|${protocol}|${port}|${appProtocol}`
const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

function compareAddresses(a: EndpointAddress, b: EndpointAddress): number {
  return compareText(a.ip, b.ip) || compareText(a.targetRef?.uid ?? '', b.targetRef?.uid ?? '')
}

function subsetKey({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset): string {
  return `${ports.map(portKey).join(',')};${[...addresses, ...notReadyAddresses].map(addressKey).join(',')}`
}

/**
 * At most `capacity` addresses in all: ready ones before the others, each subset in proportion. The same list where it
 * fits.
 */
export function truncate(subsets: readonly EndpointSubset[], capacity: number): readonly EndpointSubset[] {
  const ready = subsets.reduce((sum, { addresses = [] }) => sum + addresses.length, 0)
  const notReady = subsets.reduce((sum, { notReadyAddresses = [] }) => sum + notReadyAddresses.length, 0)
  if (ready + notReady <= capacity) return subsets
  const cutsReady = ready > capacity
  const room = cutsReady ? capacity : capacity - ready
  let left = room
  const share = (count: number) => {
    const size = Math.min(left, Math.ceil((count / (cutsReady ? ready : notReady)) * room))
    left -= Math.min(size, count)
    return size
  }
  return subsets.map(({ addresses = [], notReadyAddresses = [], ports }) => {
    const kept = cutsReady ? addresses.slice(0, share(addresses.length)) : addresses
    const others = cutsReady ? [] : notReadyAddresses.slice(0, share(notReadyAddresses.length))
    return {
      ...(kept.length === 0 ? {} : { addresses: kept }),
      ...(others.length === 0 ? {} : { notReadyAddresses: others }),
      ...(ports === undefined ? {} : { ports }),
    }
  })
}
