// The words of a directive and of its options as values, or an error that names their line.

import type { Directive } from '#dns/corefile/syntax.ts'
import { normalName } from '#dns/wire/name.ts'
import { parseCidr } from '#lib/cidr.ts'
import { parseDuration } from '#lib/duration.ts'

/** What is wrong with a Corefile, and where; lines count from 1. */
export class CorefileMistake extends Error {
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

export type ListenAddress = { readonly host: string; readonly port: number }

/** Options by name; what none of `known` reads is an error. */
export function optionsOf<T extends Record<string, (option: Directive) => unknown>>(
  directive: Directive,
  known: T,
): { [K in keyof T]?: ReturnType<T[K]> } {
  const found: Record<string, unknown> = {}
  const names = Object.keys(known)
  for (const option of directive.options) {
    const read = known[option.name]
    if (read === undefined)
      throw new CorefileMistake(
        option.line,
        names.length === 0
          ? `${directive.name} has no options, so ${JSON.stringify(option.name)} means nothing here`
          : `unknown option ${JSON.stringify(option.name)} of ${directive.name}: known are ${names.join(', ')}`,
      )
    const [inner] = option.options
    if (inner !== undefined)
      throw new CorefileMistake(
        inner.line,
        `${option.name} has no options, so ${JSON.stringify(inner.name)} means nothing here`,
      )
    found[option.name] = read(option)
  }
  return found as { [K in keyof T]?: ReturnType<T[K]> }
}

/** A word that means nothing must not look as if it did. */
export function takesAtMost(directive: Directive, most: number): void {
  const extra = directive.args[most]
  if (extra !== undefined)
    throw new CorefileMistake(directive.line, `${directive.name} does not take ${JSON.stringify(extra)}`)
}

export function listenAt(directive: Directive, fallback: string): ListenAddress {
  takesAtMost(directive, 1)
  const text = directive.args[0] ?? fallback
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (at === -1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new CorefileMistake(directive.line, `${directive.name} takes ADDRESS:PORT, not ${JSON.stringify(text)}`)
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port }
}

export function choiceOf<const V extends readonly string[]>(option: Directive, values: V): V[number] {
  takesAtMost(option, 1)
  const [value] = option.args
  if (value === undefined || !values.includes(value))
    throw new CorefileMistake(option.line, `${option.name} is one of ${values.join(', ')}`)
  return value
}

export function integerOf(option: Directive, least: number, most: number): number {
  takesAtMost(option, 1)
  return integerIn(option, option.args[0] ?? '', least, most)
}

export function integerIn(option: Directive, word: string, least: number, most: number): number {
  const value = word === '' ? Number.NaN : Number(word)
  if (!Number.isInteger(value) || value < least || value > most)
    throw new CorefileMistake(
      option.line,
      `${option.name} takes a whole number from ${least} to ${most}, not ${JSON.stringify(word)}`,
    )
  return value
}

/** Milliseconds. */
export function durationOf(option: Directive): number {
  takesAtMost(option, 1)
  return durationIn(option, option.args[0] ?? '')
}

export function durationIn(option: Directive, word: string): number {
  const ms = parseDuration(word)
  if (ms === undefined)
    throw new CorefileMistake(option.line, `${JSON.stringify(word)} is no duration, as 5s or 1m30s are`)
  return ms
}

/** All words, of which there must be one. */
export function wordsOf(option: Directive): readonly string[] {
  if (option.args.length === 0) throw new CorefileMistake(option.line, `${option.name} takes one word or more`)
  return option.args
}

/** True; the option stands alone. */
export function presenceOf(option: Directive): true {
  takesAtMost(option, 0)
  return true
}

/** Zones as written; without any, all. */
export const zonesOf = (option: Directive): string[] => (option.args.length === 0 ? [''] : option.args.flatMap(zonesIn))

/** A zone as written: a name, or a network for its reverse zone. */
export function zonesIn(text: string): string[] {
  const cidr = text.includes('/') ? parseCidr(text) : undefined
  if (cidr === undefined) return [normalName(text)]
  const isV4 = cidr.base.length === 4
  const digits = isV4
    ? Array.from(cidr.base, String)
    : [...cidr.base].flatMap((byte) => [byte >> 4, byte & 15]).map((nibble) => nibble.toString(16))
  const kept = digits.slice(0, Math.floor(cidr.prefix / (isV4 ? 8 : 4)))
  return [[...kept.toReversed(), isV4 ? 'in-addr.arpa' : 'ip6.arpa'].join('.')]
}

export const isReverse = (zone: string): boolean => /(^|\.)(in-addr|ip6)\.arpa$/.test(zone)
