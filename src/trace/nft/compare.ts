// Comparisons of registers, with what they mean for a trace in words.

import type { NftInstruction } from '#kernel/nftables/ruleset.ts'
import { valueText } from '#kernel/nftables/value-text.ts'
import type { Loaded, Unknown } from '#trace/nft/registers.ts'
import type { Matched } from '#trace/way.ts'

type Compare = Extract<NftInstruction, { kind: 'compare' }>
type Range = Extract<NftInstruction, { kind: 'range' }>

export function compareValue(value: Loaded, { is, value: wanted }: Compare): Matched {
  if (!(value instanceof Uint8Array)) return undecided(value, is, wanted)
  const order = compareBytes(value, wanted)
  const holds =
    is === '=='
      ? order === 0
      : is === '!='
        ? order !== 0
        : is === '<'
          ? order < 0
          : is === '<='
            ? order <= 0
            : is === '>'
              ? order > 0
              : order >= 0
  return holds ? { kind: 'yes' } : { kind: 'no', why: `${show(value)} is not ${is} ${show(wanted)}` }
}

/** The same words as the other side of the house uses, so that one answer decides both. */
function undecided(value: Exclude<Loaded, Uint8Array>, is: string, wanted: Uint8Array): Matched {
  const { what, missing } = value
  const not = is === '!='
  const isPlain = is === '==' || not
  const word = isPlain ? '' : `${is} `
  return {
    kind: 'maybe',
    condition: `${what} ${word}${meaningOf(value, wanted)}`,
    unless: not,
    ...(missing !== undefined && { missing }),
  }
}

/** What an unknown value might be, in words. */
export function meaningOf({ type }: Unknown, bytes: Uint8Array): string {
  switch (type) {
    case undefined:
      return show(bytes)
    case 'address-type':
      return `${valueText(bytes, type).toUpperCase()} here`
    case 'interface-name':
      return nameOf(bytes)
    case 'interface':
      return `interface ${valueText(bytes, 'number')}`
    default:
      return valueText(bytes, type)
  }
}

const nameOf = (bytes: Uint8Array) => {
  const text = new TextDecoder().decode(bytes)
  const end = text.indexOf('\0')
  return end < 0 ? `${text}+` : text.slice(0, end)
}

export function rangeHolds(value: Loaded, { inside, first, last }: Range): Matched {
  if (!(value instanceof Uint8Array))
    return {
      kind: 'maybe',
      condition: `${value.what} ${show(first)} to ${show(last)}`,
      unless: !inside,
      ...(value.missing !== undefined && { missing: value.missing }),
    }
  const holds = compareBytes(first, value) <= 0 && compareBytes(value, last) <= 0
  return holds === inside
    ? { kind: 'yes' }
    : { kind: 'no', why: `${show(value)} is ${holds ? 'in' : 'not in'} ${show(first)}-${show(last)}` }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - b[i]!
  return 0
}

/** A guess at what bytes are, for people. */
function show(bytes: Uint8Array): string {
  if (bytes.length === 2) return valueText(bytes, 'port')
  if (
    bytes.length === 16 &&
    bytes.some((byte, i) => byte === 0 && bytes.subarray(i).every((left) => left === 0) && i > 0)
  ) {
    const text = nameOf(bytes)
    if (/^[\w.-]+$/.test(text)) return text
  }
  return valueText(bytes, 'hex')
}
