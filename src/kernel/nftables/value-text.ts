// Values of nftables as one reads them, by the type of what they are compared with or stored in.
import { formatIp } from '#lib/ip.ts'
import { toHex } from '#lib/bytes.ts'
import type { NftElement, NftSet, NftVerdict } from '#kernel/nftables/ruleset.ts'

const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' }

/** `type` as in NftSet.key; unknown ones are shown as hex. */
export function valueText(bytes: Uint8Array, type: string): string {
  switch (type) {
    case 'ipv4':
    case 'ipv6':
      return bytes.length === 4 || bytes.length === 16 ? formatIp(bytes) : hexText(bytes)
    case 'protocol':
      return protocols[bytes[0]!] ?? `protocol ${bytes[0]}`
    case 'port':
      return `${(bytes[0]! << 8) | bytes[1]!}`
    case 'number':
      return numberText(bytes)
    case 'mark':
      return `0x${hostNumberOf(bytes).toString(16)}`
    case 'interface-name':
      return `"${String.fromCharCode(...bytes).replace(/\0.*$/s, '')}"`
    case 'address-type':
      return addressTypes[hostNumberOf(bytes)] ?? numberText(bytes)
    case 'ct-status':
      return hostNumberOf(bytes) === 0x20 ? 'dnat' : hostNumberOf(bytes) === 0x10 ? 'snat' : numberText(bytes)
    case 'ct-state':
      return stateText(hostNumberOf(bytes))
    default:
      return hexText(bytes)
  }
}

const addressTypes: Readonly<Record<number, string>> = { 1: 'unicast', 2: 'local', 3: 'broadcast', 5: 'multicast' }
const states = ['invalid', 'established', 'related', 'new', '', '', 'untracked']
const stateText = (bits: number) =>
  states.filter((name, bit) => name !== '' && (bits & (1 << bit)) !== 0).join(',') || '0'

/** In the machine's order, small ones as a decimal. */
const numberText = (bytes: Uint8Array): string => plainNumber(hostNumberOf(bytes))
export const plainNumber = (number: number): string => (number < 0x10000 ? `${number}` : `0x${number.toString(16)}`)
export const hostNumberOf = (bytes: Uint8Array): number => bytes.reduceRight((number, byte) => number * 256 + byte, 0)

const hexText = (bytes: Uint8Array) => `0x${toHex(bytes)}`

export const verdictText = (verdict: NftVerdict): string =>
  'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind

/** The parts of a key or of data, each in its own words. */
export function partTexts(bytes: Uint8Array, types: readonly string[], lengths: readonly number[]): string[] {
  if (types.length !== lengths.length) return [hexText(bytes)]
  return types.map((type, i) => {
    const at = lengths.slice(0, i).reduce((sum, length) => sum + length, 0)
    return valueText(bytes.subarray(at, at + lengths[i]!), type)
  })
}

/** `10.96.0.1 . tcp . 80 : goto web # demo/web` */
export function elementText(element: NftElement, { key, keyLengths, data, dataLengths }: NftSet): string {
  const of = (bytes: Uint8Array) => partTexts(bytes, key, keyLengths)
  const first = element.catchAll ? ['*'] : of(element.key)
  const last = element.keyEnd === undefined ? first : of(element.keyEnd)
  const keyText = first.map((part, i) => (part === last[i] ? part : `${part}-${last[i]}`)).join(' . ')
  const value = element.verdict
    ? ` : ${verdictText(element.verdict)}`
    : element.data && Array.isArray(data)
      ? ` : ${partTexts(element.data, data as readonly string[], dataLengths ?? []).join(' . ')}`
      : ''
  const expires = element.expiresMs === undefined ? '' : ` (${Math.round(element.expiresMs / 1000)} s left)`
  const comment = element.comment === undefined ? '' : `  # ${element.comment}`
  return `${keyText}${value}${expires}${comment}`
}
