// The instructions that rules of nftables are made of (linux/netfilter/nf_tables.h). Registers are the 16 small ones of
// 4 bytes, numbered 0 to 15; a value of 16 bytes takes four in a row.
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'

/** Writes itself as one element of a rule's list of expressions. */
export type Expression = (writer: MessageWriter) => void

const NFT_REG32_00 = 8
const reg = (register: number): number => NFT_REG32_00 + register
const LIST_ELEMENT = 1
const EXPRESSION = { name: 1, data: 2 } as const
const DATA = { value: 1, verdict: 2 } as const
const VERDICT = { code: 1, chain: 2 } as const

const expression =
  (name: string, attributes: (writer: MessageWriter) => void): Expression =>
  (writer) =>
    void writer.nest(LIST_ELEMENT, () =>
      writer.attributeText(EXPRESSION.name, name).nest(EXPRESSION.data, () => attributes(writer)),
    )

const writeValue = (writer: MessageWriter, type: number, value: Uint8Array): void =>
  void writer.nest(type, () => writer.attribute(DATA.value, value))

/** A number in the machine's order, as marks and shape numbers are kept. */
export const hostNumber = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
const verdictCodes = { accept: 1, drop: 0, jump: -3, goto: -4, return: -5 } as const

export function writeVerdict(writer: MessageWriter, type: number, verdict: Verdict): void {
  writer.nest(type, () =>
    writer.nest(DATA.verdict, () => {
      writer.attributeU32be(VERDICT.code, verdictCodes[verdict.kind] >>> 0)
      if ('chain' in verdict) writer.attributeText(VERDICT.chain, verdict.chain)
    }),
  )
}

/** Ends the rule with a verdict. */
export const verdict = (what: Verdict): Expression =>
  expression('immediate', (w) => {
    w.attributeU32be(1, 0)
    writeVerdict(w, 2, what)
  })

/** Bytes of the packet, counted from one of its headers; only bridges know the link's. */
export const payload = (to: number, base: keyof typeof bases, offset: number, length: number): Expression =>
  expression('payload', (w) =>
    w.attributeU32be(1, reg(to)).attributeU32be(2, bases[base]).attributeU32be(3, offset).attributeU32be(4, length),
  )

const bases = { link: 0, network: 1, transport: 2 } as const

const metaKeys = { mark: 3, inInterfaceName: 6, outInterfaceName: 7, protocol: 16 } as const
export const meta = (to: number, key: keyof typeof metaKeys): Expression =>
  expression('meta', (w) => w.attributeU32be(1, reg(to)).attributeU32be(2, metaKeys[key]))
export const setMark = (from: number): Expression =>
  expression('meta', (w) => w.attributeU32be(2, metaKeys.mark).attributeU32be(3, reg(from)))

/** `same` goes on where they are equal, else where they differ. */
export const compare = (register: number, same: boolean, value: Uint8Array): Expression =>
  expression('cmp', (w) => {
    w.attributeU32be(1, reg(register)).attributeU32be(2, same ? 0 : 1)
    writeValue(w, 3, value)
  })

/** register = (register & mask) ^ xor */
export const bitwise = (register: number, mask: Uint8Array, xor: Uint8Array): Expression =>
  expression('bitwise', (w) => {
    w.attributeU32be(1, reg(register)).attributeU32be(2, reg(register)).attributeU32be(3, mask.length)
    writeValue(w, 4, mask)
    writeValue(w, 5, xor)
  })

export const load = (to: number, value: Uint8Array): Expression =>
  expression('immediate', (w) => {
    w.attributeU32be(1, reg(to))
    writeValue(w, 2, value)
  })

/**
 * Goes on where the set has the key that begins in register `key`; `inverted`: where it has not. `to`: the register
 * that gets a map's data. `toVerdict`: the data is what happens next.
 */
export const lookup = (
  set: string,
  key: number,
  { to, toVerdict = false, inverted = false }: { to?: number; toVerdict?: boolean; inverted?: boolean } = {},
): Expression =>
  expression('lookup', (w) => {
    w.attributeText(1, set).attributeU32be(2, reg(key))
    if (toVerdict) w.attributeU32be(3, 0)
    else if (to !== undefined) w.attributeU32be(3, reg(to))
    if (inverted) w.attributeU32be(5, 1)
  })

/** A random number from `offset` to below `offset + below`. */
export const randomNumber = (to: number, below: number, offset: number): Expression =>
  expression('numgen', (w) =>
    w.attributeU32be(1, reg(to)).attributeU32be(2, below).attributeU32be(3, 1).attributeU32be(4, offset),
  )

/** What kind of address it is to this machine: 2 is its own (RTN_LOCAL), as a number in the machine's order. */
export const addressType = (to: number, of: 'source' | 'destination'): Expression =>
  expression('fib', (w) =>
    w
      .attributeU32be(1, reg(to))
      .attributeU32be(2, 3)
      .attributeU32be(3, of === 'source' ? 1 : 2),
  )
export const localAddressType: Uint8Array = hostNumber(2)

/** IPS_* bits of the connection, in the machine's order. */
export const connectionStatus = (to: number): Expression =>
  expression('ct', (w) => w.attributeU32be(1, reg(to)).attributeU32be(2, 2))

const dynsetActs = { add: 0, update: 1, delete: 2 } as const
/** Changes a set from within a rule; `data` is demanded by maps even for `delete`. */
export const changeSet = (
  set: string,
  act: keyof typeof dynsetActs,
  key: number,
  { data, timeoutMs }: { readonly data?: number; readonly timeoutMs?: number } = {},
): Expression =>
  expression('dynset', (w) => {
    w.attributeText(1, set).attributeU32be(3, dynsetActs[act]).attributeU32be(4, reg(key))
    if (data !== undefined) w.attributeU32be(5, reg(data))
    if (timeoutMs !== undefined) w.attributeU64be(6, BigInt(timeoutMs))
  })

/** Sends the connection to the address and port in these registers. */
export const destinationNat = (family: 4 | 6, address: number, port: number): Expression =>
  expression('nat', (w) =>
    w
      .attributeU32be(1, 1)
      .attributeU32be(2, family === 4 ? 2 : 10)
      .attributeU32be(3, reg(address))
      .attributeU32be(5, reg(port)),
  )

/** Gives the connection an own address and a random port of this machine as its source. */
export const masquerade: Expression = expression('masq', (w) => w.attributeU32be(1, 0x10))
/** The same with the port that it has, where that is free. */
export const masqueradeInOrder: Expression = expression('masq', () => undefined)

/** The packet makes no connection, and no NAT touches it. */
export const notrack: Expression = expression('notrack', () => undefined)

/** Answers that nobody is there: by a reset (TCP), or by ICMP "port unreachable". */
export const reject = (how: 'reset' | 'unreachable', family: 4 | 6): Expression =>
  expression('reject', (w) => {
    const code = how === 'reset' ? 0 : family === 4 ? 3 : 4
    w.attributeU32be(1, how === 'reset' ? 1 : 0).attributeU8(2, code)
  })
