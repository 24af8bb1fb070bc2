// What the table of nftables mode means, whatever the numbers of its shapes and the order of its endpoints: lines that are
// equal for equal behaviour. For tests.
import { type Nftables, openNftables } from '#kernel/nftables/nftables.ts'

const table = 'fairway-proxy'

export function viewTable(family: 4 | 6, netns: string): string[] {
  using kernel = openNftables(family, netns)
  const shapes = shapesOf(kernel, 'shapes')
  const shortcuts = shapesOf(kernel, 'shortcut-shapes')
  return [
    ...kernel
      .elements(table, 'services')
      .map(({ key, data }) => `services ${hex(key)} ${shapes.get(lastNumber(data))}`),
    ...kernel
      .elements(table, 'shortcuts')
      .map(({ key, data }) => `shortcuts ${hex(key)} ${shortcuts.get(lastNumber(data))}`),
    ...elementsOf(kernel, 'fronts-').map(({ key, data }) => `fronts ${hex(key)} ${hex(data)}`),
    ...kernel.elements(table, 'ranges').map(({ key, keyEnd }) => `ranges ${hex(key)} ${hex(keyEnd)}`),
    ...kernel.elements(table, 'cluster-ips').map(({ key }) => `cluster-ips ${hex(key)}`),
    ...kernel.elements(table, 'hairpin').map(({ key }) => `hairpin ${hex(key)}`),
    ...indexed(kernel, 'endpoints-'),
    ...indexed(kernel, 'slots-'),
  ].sort()
}

/** Without their indexes, which must be dense: 0 to n-1, and the same from 0x10000 for those of the node. */
function indexed(kernel: Nftables, set: string): string[] {
  const byTuple = new Map<string, number[]>()
  const lines = elementsOf(kernel, set).map((element) => {
    const index = lastNumber(element.key)
    const tuple = hex(element.key.subarray(0, -4))
    if (index >= 1 << 30) return `${set} ${tuple} slot ${index.toString(16)} ${hex(element.data)}`
    const scope = index >= 1 << 16 ? 'local' : 'cluster'
    const known = byTuple.get(`${tuple} ${scope}`) ?? []
    byTuple.set(`${tuple} ${scope}`, [...known, index & 0xffff])
    return `${set} ${tuple} ${scope} ${hex(element.data)}`
  })
  for (const [tuple, indexes] of byTuple)
    if (indexes.sort((a, b) => a - b).some((index, i) => index !== i))
      lines.push(`HOLES ${set} ${tuple} ${indexes.join(' ')}`)
  return lines
}

const elementsOf = (kernel: Nftables, prefix: string) =>
  kernel.sets(table).flatMap((set) => (set.startsWith(prefix) ? kernel.elements(table, set) : []))

function shapesOf(kernel: Nftables, map: string): ReadonlyMap<number, string> {
  return new Map(
    kernel
      .elements(table, map)
      .map(({ key, verdict }) => [lastNumber(key), verdict && 'chain' in verdict ? verdict.chain : 'drop']),
  )
}

function lastNumber(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return -1
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length - 4, true)
}
const hex = (bytes: Uint8Array | undefined) =>
  [...(bytes ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join('')
