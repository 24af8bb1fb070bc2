// Which element of a set a packet's key finds. Where a part of the key is not known, every element that the rest agrees
// with is a way of its own.

import { indexSet } from '#kernel/nftables/find-element.ts'
import type { NftElement, NftInstruction, NftSet } from '#kernel/nftables/ruleset.ts'
import { elementText, partTexts } from '#kernel/nftables/value-text.ts'
import { meaningOf } from '#trace/nft/compare.ts'
import { agrees, read, type Registers } from '#trace/nft/registers.ts'
import { assume, factOf, type Way } from '#trace/way.ts'

const indexes = new WeakMap<NftSet, ReturnType<typeof indexSet>>()

function finderOf(set: NftSet): ReturnType<typeof indexSet> {
  const known = indexes.get(set)
  if (known !== undefined) return known
  const made = indexSet(set)
  indexes.set(set, made)
  return made
}

export type Found = { readonly way: Way; readonly why: string; readonly found: NftElement | undefined }

/** Beyond so many elements an unknown key is taken to find none of them, which is said. */
const mostGuessed = 32

export function lookUp(
  set: NftSet,
  { key: from }: Extract<NftInstruction, { kind: 'lookup' }>,
  registers: Registers,
  way: Way,
): readonly Found[] {
  const length = set.keyLengths.reduce((sum, part) => sum + part, 0)
  const size = set.elements[0]?.key.length ?? length
  const key = read(registers, from, size)
  const name = set.anonymous ? 'the list' : set.name
  if (key instanceof Uint8Array) {
    const found = finderOf(set)(key)
    const text = partTexts(key, set.key, set.keyLengths).join(' . ')
    if (found === undefined) return [{ way, why: `${text} is not in ${name}`, found }]
    return [{ way, why: set.anonymous ? `${text} is in the list` : `${set.name}: ${elementText(found, set)}`, found }]
  }
  const candidates = set.interval
    ? set.elements
    : set.elements.filter((element) => element.catchAll !== true && agrees(registers, from, element.key))
  if (candidates.length === 0) return [{ way, why: `nothing in ${name} agrees with what is known`, found: undefined }]
  const { what, missing } = key
  if (set.interval || candidates.length > mostGuessed) {
    const condition = `${what} in ${name}`
    const known = factOf(way, condition)
    const without = {
      way: known === undefined ? assume(way, condition, false, missing) : way,
      why: `not: ${condition}`,
      found: undefined,
    }
    if (known === false || set.data !== undefined) return [without]
    const inside = {
      way: known === undefined ? assume(way, condition, true, missing) : way,
      why: condition,
      found: candidates[0],
    }
    return known === true ? [inside] : [inside, without]
  }
  let rest = way
  const ways: Found[] = []
  for (const element of candidates) {
    const isPlain = key.type !== undefined && set.key.length === 1
    const value = isPlain ? meaningOf(key, element.key) : partTexts(element.key, set.key, set.keyLengths).join(' . ')
    const condition = `${what} ${value}`
    const known = factOf(rest, condition)
    if (known === false) continue
    ways.push({ way: known === true ? rest : assume(rest, condition, true, missing), why: condition, found: element })
    if (known === true) return ways
    rest = assume(rest, condition, false, missing)
  }
  return [...ways, { way: rest, why: `${what} none in ${name}`, found: undefined }]
}
