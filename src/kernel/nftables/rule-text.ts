// Rules of nftables in words, out of their instructions: it follows what each register holds, so that also those rules can
// be read that `nft` has no words for. What a lookup finds gets a letter, and its parts a number: `a.2`.
import type { NftFamily, NftInstruction, NftPayload, NftRule, NftSet } from '#kernel/nftables/ruleset.ts'
import { hostNumberOf, plainNumber, valueText, verdictText } from '#kernel/nftables/value-text.ts'

/** A value of `words` registers, of which one holds the word `at`. */
type Value = { readonly text: string; readonly type: string; readonly literal?: Uint8Array; readonly words: number }
type Register = { readonly value: Value; readonly at: number } | undefined

/** Comparisons and acts in order. `sets`: those of the rule's table. */
export function ruleText(
  { code }: Pick<NftRule, 'code'>,
  family: NftFamily,
  sets: ReadonlyMap<string, NftSet>,
): string[] {
  const reader = new Reader(family, sets)
  for (const instruction of code) reader.read(instruction)
  return reader.texts
}

class Reader {
  readonly texts: string[] = []
  readonly #family: NftFamily
  readonly #sets: ReadonlyMap<string, NftSet>
  readonly #registers: Register[] = []
  /** lookups that were made already, by their text */
  readonly #letters = new Map<string, string>()
  #found = 0

  constructor(family: NftFamily, sets: ReadonlyMap<string, NftSet>) {
    this.#family = family
    this.#sets = sets
  }

  read(one: NftInstruction): void {
    switch (one.kind) {
      case 'immediate':
        return this.#put(one.to, { text: '', type: 'number', literal: one.value, words: wordsOf(one.value.length) })
      case 'payload':
        return this.#put(one.to, payloadValue(one.at, this.#family))
      case 'meta':
        return this.#put(one.to, { text: one.key, type: metaTypes[one.key] ?? 'number', words: wordsIn[one.key] ?? 1 })
      case 'ct':
        return this.#put(one.to, { text: `ct ${one.key}`, type: `ct-${one.key}`, words: 1 })
      case 'number': {
        const text = `${one.random ? 'random' : 'next'} ${choiceText(one)}`
        return this.#put(one.to, { text, type: 'number', words: 1 })
      }
      case 'hash':
        return this.#put(one.to, { text: `hash ${choiceText(one)}`, type: 'number', words: 1 })
      case 'fib': {
        const type = one.result === 'type' ? 'address-type' : one.result === 'oifname' ? 'interface-name' : 'number'
        return this.#put(one.to, {
          text: `${one.result} of ${one.by.join(' . ')}`,
          type,
          words: type === 'interface-name' ? 4 : 1,
        })
      }
      case 'bitwise':
        return this.#put(one.to, maskedValue(this.#value(one.from, one.mask.length), one.mask, one.xor))
      case 'shift': {
        const value = this.#value(one.from, one.length)
        return this.#put(one.to, { ...value, text: `(${textOf(value)} ${one.left ? '<<' : '>>'} ${one.bits})` })
      }
      case 'byteorder':
        return this.#put(one.to, this.#value(one.from, one.length))
      case 'lookup':
        return this.#lookup(one)
      default:
        this.texts.push(this.#act(one))
    }
  }

  #act(one: NftInstruction): string {
    switch (one.kind) {
      case 'verdict':
        return verdictText(one.verdict)
      case 'compare': {
        const value = this.#value(one.register, one.value.length)
        return `${textOf(value)} ${one.is} ${valueText(one.value, value.type)}`
      }
      case 'range': {
        const value = this.#value(one.register, one.first.length)
        const ends = `${valueText(one.first, value.type)}-${valueText(one.last, value.type)}`
        return `${textOf(value)} ${one.inside ? '==' : '!='} ${ends}`
      }
      case 'meta-set':
        return `${one.key} = ${textOf(this.#value(one.from, 4)).replace(/^\((.*)\)$/, '$1')}`
      case 'ct-set':
        return `ct ${one.key} = ${textOf(this.#value(one.from, 4))}`
      case 'payload-set':
        return `${payloadValue(one.at, this.#family).text} = ${textOf(this.#value(one.from, one.at.length))}`
      case 'change-set':
        return this.#change(one)
      case 'nat':
        return `${one.type} to ${this.#target(one.address, one.family === 'ip6' ? 16 : 4)}${this.#port(one.port)}`
      case 'masquerade':
        return `masquerade${(one.flags & 0x10) === 0 ? '' : ' fully random'}`
      case 'redirect':
        return `redirect to${this.#port(one.port)}`
      case 'reject':
        return one.with === 'tcp reset' ? 'reject with tcp reset' : `reject with ${one.with} ${one.code}`
      case 'counter':
        return `counter ${one.packets} packets ${one.bytes} bytes`
      case 'limit':
        return `limit ${one.over ? 'over' : 'to'} ${one.rate} ${one.of} in ${one.seconds} s`
      case 'log':
        return `log "${one.prefix}"`
      case 'match':
      case 'target':
        return `iptables ${one.kind} ${one.name}`
      default:
        return 'name' in one ? one.name : one.kind
    }
  }

  #lookup({ set, key, to, inverted }: NftInstruction & { readonly kind: 'lookup' }): void {
    const found = `${set}[${this.#keyText(set, key)}]`
    if (to === undefined) {
      this.texts.push(`${this.#keyText(set, key)} ${inverted ? 'not in' : 'in'} ${set}`)
      return
    }
    if (to === 'verdict') {
      this.texts.push(`do ${found}`)
      return
    }
    const isStable = this.#sets.get(set)?.dynamic !== true
    const known = isStable ? this.#letters.get(found) : undefined
    const letter = known ?? String.fromCharCode(97 + this.#found++)
    if (known === undefined) this.texts.push(`${letter} = ${found}`)
    this.#letters.set(found, letter)
    const { data, dataLengths = [4] } = this.#sets.get(set) ?? {}
    let register = to
    for (const [i, length] of dataLengths.entries()) {
      const type = Array.isArray(data) ? (data[i] as string) : 'number'
      const text = dataLengths.length === 1 ? letter : `${letter}.${i + 1}`
      this.#put(register, { text, type, words: wordsOf(length) })
      register += wordsOf(length)
    }
  }

  #change(one: NftInstruction & { readonly kind: 'change-set' }): string {
    const key = this.#keyText(one.set, one.key)
    if (one.act === 'delete') return `delete ${one.set}[${key}]`
    const { data, dataLengths = [] } = this.#sets.get(one.set) ?? {}
    const types = Array.isArray(data) ? (data as readonly string[]) : []
    const value = one.data === undefined ? '' : ` = ${this.#partsText(one.data, types, dataLengths)}`
    const time = one.timeoutMs === undefined ? '' : ` for ${one.timeoutMs / 1000} s`
    return `${one.act} ${one.set}[${key}]${value}${time}`
  }

  #keyText(set: string, register: number): string {
    const { key = ['number'], keyLengths = [4] } = this.#sets.get(set) ?? {}
    return this.#partsText(register, key, keyLengths)
  }

  #partsText(from: number, types: readonly string[], lengths: readonly number[]): string {
    let register = from
    return lengths
      .map((length, i) => {
        const value = this.#value(register, length)
        register += wordsOf(length)
        return textOf(value, types[i])
      })
      .join(' . ')
  }

  #target(register: number | undefined, length: number): string {
    return register === undefined ? '' : textOf(this.#value(register, length), length === 4 ? 'ipv4' : 'ipv6')
  }
  #port(register: number | undefined): string {
    return register === undefined ? '' : ` : ${textOf(this.#value(register, 2), 'port')}`
  }

  #put(register: number, value: Value): void {
    for (let at = 0; at < value.words; at++) this.#registers[register + at] = { value, at }
  }

  /** What begins in a register; something of which only another part is there is named by its words. */
  #value(register: number, length: number): Value {
    const held = this.#registers[register]
    if (held === undefined) return { text: `register ${register}`, type: 'number', words: wordsOf(length) }
    if (held.at === 0 && held.value.words <= wordsOf(length)) return held.value
    const { literal, text, type } = held.value
    if (literal) return { text, type, literal: literal.subarray(4 * held.at), words: wordsOf(length) }
    return { text: `${text}/word ${held.at}`, type: 'number', words: wordsOf(length) }
  }
}

const choiceText = ({ offset, below }: { readonly offset: number; readonly below: number }) =>
  `${plainNumber(offset)}..${plainNumber(offset + below - 1)}`
const wordsOf = (bytes: number) => Math.max(1, Math.ceil(bytes / 4))
const textOf = ({ text, type, literal }: Value, as = type) => (literal === undefined ? text : valueText(literal, as))

const metaTypes: Readonly<Record<string, string>> = {
  l4proto: 'protocol',
  mark: 'mark',
  iifname: 'interface-name',
  oifname: 'interface-name',
}
const wordsIn: Readonly<Record<string, number>> = { iifname: 4, oifname: 4 }

/** Where the headers have what everyone names. */
const fields: readonly (readonly [
  NftPayload['base'],
  NftFamily,
  offset: number,
  length: number,
  text: string,
  type: string,
])[] = [
  ['network', 'ip', 12, 4, 'ip saddr', 'ipv4'],
  ['network', 'ip', 16, 4, 'ip daddr', 'ipv4'],
  ['network', 'ip6', 8, 16, 'ip6 saddr', 'ipv6'],
  ['network', 'ip6', 24, 16, 'ip6 daddr', 'ipv6'],
  ['transport', 'inet', 0, 2, 'sport', 'port'],
  ['transport', 'inet', 2, 2, 'dport', 'port'],
]

function payloadValue({ base, offset, length }: NftPayload, family: NftFamily): Value {
  const words = wordsOf(length)
  const found = fields.find(
    ([b, f, o, l]) => b === base && o === offset && l === length && (f === family || f === 'inet' || family === 'inet'),
  )
  if (found) return { text: found[4], type: found[5], words }
  const part = fields.find(([b, f, o, l]) => b === base && o === offset && l > length && f === family)
  if (part) return { text: `${part[4]}/${8 * length}`, type: 'bytes', words }
  return { text: `${base} header ${offset}+${length}`, type: 'bytes', words }
}

/** A mask that clears just the bits that are then set is an "or". */
function maskedValue(value: Value, mask: Uint8Array, xor: Uint8Array): Value {
  const text = textOf(value)
  const show = (bytes: Uint8Array) => valueText(bytes, value.type)
  const isZero = hostNumberOf(xor) === 0
  const isOr = mask.every((byte, i) => byte === (~xor[i]! & 255))
  const changed = isZero
    ? `${text} & ${show(mask)}`
    : isOr
      ? `${text} | ${show(xor)}`
      : `(${text} & ${show(mask)}) ^ ${show(xor)}`
  return { text: `(${changed})`, type: value.type, words: value.words }
}
