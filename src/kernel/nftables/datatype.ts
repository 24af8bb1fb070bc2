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

/** The data of a set whose elements are verdicts. */
export const verdictDatatype = 0xffffff00
export const verdictLength = 16
