// The registers of a rule of nftables: 16 words of 4 bytes. What the inputs do not tell is in none of them: such words say
// what they would be.

export type Unknown = {
  /** `the packet goes in by`, `ct mark`: what stands in front of `is X` */
  readonly what: string
  readonly missing?: string
  /** how to print what it is compared with, as value-text.ts has it */
  readonly type?: string
}

export type Registers = {
  readonly bytes: Uint8Array
  readonly unknown: readonly (Unknown | undefined)[]
}

export type Loaded = Uint8Array | (Unknown & { readonly length: number })

export const wordsOf = (length: number): number => Math.max(1, Math.ceil(length / 4))

export const emptyRegisters: Registers = { bytes: new Uint8Array(80), unknown: [] }

export function load(registers: Registers, to: number, value: Loaded): Registers {
  const { length } = value
  const words = wordsOf(length)
  const unknown = registers.unknown.slice()
  const bytes = registers.bytes.slice()
  for (let i = 0; i < words; i++) unknown[to + i] = value instanceof Uint8Array ? undefined : value
  if (value instanceof Uint8Array && 4 * to + 4 * words <= bytes.length) {
    bytes.fill(0, 4 * to, 4 * (to + words))
    bytes.set(value, 4 * to)
  }
  return { bytes, unknown }
}

/** The bytes from a register on, or what the first unknown word among them would be. */
export function read(registers: Registers, from: number, length: number): Loaded {
  for (let i = 0; i < wordsOf(length); i++) {
    const unknown = registers.unknown[from + i]
    if (unknown !== undefined) return { ...unknown, length }
  }
  return registers.bytes.subarray(4 * from, 4 * from + length)
}

/** Whether known words of the registers are those of a key. */
export function agrees(registers: Registers, from: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++)
    if (registers.unknown[from + (i >> 2)] === undefined && registers.bytes[4 * from + i] !== key[i]) return false
  return true
}

/** In the order of the machines that run Linux today. */
export function host32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value >>> 0, true)
  return bytes
}
export const readHost32 = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)

export const big16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255)
export const readBig16 = (bytes: Uint8Array): number => (bytes[0]! << 8) | bytes[1]!

export const masked = (value: Loaded, mask: Uint8Array, xor: Uint8Array): Loaded =>
  value instanceof Uint8Array ? value.map((byte, i) => (byte & mask[i]!) ^ xor[i]!) : value

export function swapped(value: Loaded, size: number): Loaded {
  if (!(value instanceof Uint8Array)) return value
  const bytes = value.slice()
  for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse()
  return bytes
}

/** Shifts work on words in the machine's order. */
export function shifted(value: Loaded, bits: number, left: boolean): Loaded {
  if (!(value instanceof Uint8Array) || value.length > 4) return value
  const padded = new Uint8Array(4)
  padded.set(value)
  const number = readHost32(padded)
  return host32(left ? number << bits : number >>> bits)
}
