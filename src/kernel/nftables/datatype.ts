// How sets say what their keys and data are made of, so that `nft` can print them: its own numbers (nft's datatype.h).
// Every part takes whole registers of 4 bytes.

export type Datatype = 'ipv4' | 'ipv6' | 'protocol' | 'port' | 'number'

const numbers: Readonly<Record<Datatype, number>> = { ipv4: 7, ipv6: 8, protocol: 12, port: 13, number: 19 }
const lengths: Readonly<Record<Datatype, number>> = { ipv4: 4, ipv6: 16, protocol: 4, port: 4, number: 4 }

/** A concatenation of up to five parts is one number, six bits a part. */
export const datatypeNumber = (parts: readonly Datatype[]): number =>
  parts.reduce((number, part) => number * 64 + numbers[part], 0)

/** Bytes of one part, and of all. */
export const partLength = (part: Datatype): number => lengths[part]
export const datatypeLength = (parts: readonly Datatype[]): number =>
  parts.reduce((sum, part) => sum + lengths[part], 0)

/** nft's other types, for sets that somebody else made; without a length where it depends. */
const others: Readonly<Record<number, readonly [name: string, length?: number]>> = {
  2: ['nfproto', 4],
  4: ['integer'],
  5: ['string'],
  6: ['link-address'],
  9: ['mac', 8],
  10: ['ether-type', 4],
  14: ['icmp-type', 4],
  15: ['tcp-flag', 4],
  20: ['interface', 4],
  26: ['ct-state', 4],
  28: ['ct-status', 4],
  29: ['icmpv6-type', 4],
  31: ['packet-type', 4],
  41: ['interface-name', 16],
  42: ['interface-group', 4],
}
const named = new Map<number, readonly [name: string, length?: number]>([
  ...Object.entries(others).map(([number, entry]) => [Number(number), entry] as const),
  ...(Object.keys(numbers) as Datatype[]).map((name) => [numbers[name], [name, lengths[name]]] as const),
])

/** The parts of a concatenation out of its number; those that have no name here keep nft's number for one. */
export function datatypeNames(number: number): string[] {
  const names: string[] = []
  for (let rest = number; rest > 0; rest = Math.floor(rest / 64))
    names.unshift(named.get(rest % 64)?.[0] ?? `${rest % 64}`)
  return names
}

/** Bytes of each part where all are known; else one part of all. */
export function datatypeLengths(names: readonly string[], total: number): number[] {
  const known = names.map((name) => [...named.values()].find(([other]) => other === name)?.[1])
  const sum = known.reduce<number>((all, length) => all + (length ?? Number.NaN), 0)
  return names.length > 1 && sum === total ? (known as number[]) : [total]
}

/** The data of a set whose elements are verdicts. */
export const verdictDatatype = 0xffffff00
export const verdictLength = 16
