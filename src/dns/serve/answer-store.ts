// effect: Buffer, for the speed of its latin1 strings
// Answers about the cluster's names as they were rendered, under the question's own bytes.

import type { Body, Query } from '#dns/query.ts'
import { rcodes } from '#dns/wire/message.ts'

export type KeptAnswer = { readonly query: Query; readonly body: Body }

/** Kept answers at the most; names that do not exist are kept apart, so that a flood of them displaces nothing. */
const mostKept = 400_000
const mostNegative = 50_000

const headerBytes = 12
/** An OPT record without options, as Go's resolver sends it. */
const optBytes = 11
/** Sizes that resolvers name; with any other a client could make keys without end. */
const keptSizes: readonly number[] = [512, 1232, 1410, 1452, 4096]

export class AnswerStore {
  readonly #kept = new Map<string, KeptAnswer>()
  readonly #negative = new Map<string, KeptAnswer>()
  readonly #keysOfService = new Map<string, string | string[]>()

  /**
   * What the answer to these bytes is kept under: question and OPT record. Undefined where it is not kept: no plain
   * query of one question, or one with options (cookies differ each time).
   */
  static keyOf(request: Buffer, length: number): string | undefined {
    const isPlain =
      length > headerBytes &&
      (request[2]! & 0xf8) === 0 &&
      request[5] === 1 &&
      ((request[4]! | request[6]! | request[7]! | request[8]! | request[9]! | request[10]!) & 0xff) === 0 &&
      (request[11] === 0 || (request[11] === 1 && isBareOpt(request, length - optBytes)))
    return isPlain ? request.toString('latin1', headerBytes, length) : undefined
  }

  get(key: string): KeptAnswer | undefined {
    return this.#kept.get(key) ?? this.#negative.get(key)
  }

  /** `service` (`namespace/name`) is what the answer rests on. */
  keep(key: string, service: string, query: Query, body: Body): void {
    const question = query.questionEnd - headerBytes
    // Only lower case is kept, and nothing that trails: letter cases and rubbish are endless.
    if (key.length !== question + (query.edns === undefined ? 0 : optBytes) || hasCapitals(key, question - 4)) return
    if (body.rcode === rcodes.SERVFAIL) return
    const isNegative = body.rcode === rcodes.NXDOMAIN
    if (this.#kept.size >= mostKept || this.#negative.size >= mostNegative) this.#clear(isNegative)
    ;(isNegative ? this.#negative : this.#kept).set(key, { query, body })
    const keys = this.#keysOfService.get(service)
    if (keys === undefined) this.#keysOfService.set(service, key)
    else if (typeof keys === 'string') this.#keysOfService.set(service, [keys, key])
    else keys.push(key)
  }

  /** Forgets what rests on these Services; `namespace/` stands for all of a namespace. */
  forget(serviceKeys: Iterable<string>): void {
    for (const service of serviceKeys) {
      if (service.endsWith('/')) return this.#clear(false)
      const keys = this.#keysOfService.get(service)
      if (keys === undefined) continue
      for (const key of typeof keys === 'string' ? [keys] : keys) {
        this.#kept.delete(key)
        this.#negative.delete(key)
      }
      this.#keysOfService.delete(service)
    }
  }

  #clear(onlyNegative: boolean): void {
    this.#negative.clear()
    if (onlyNegative) {
      for (const [service, keys] of this.#keysOfService) {
        const left = (typeof keys === 'string' ? [keys] : keys).filter((key) => this.#kept.has(key))
        if (left.length === 0) this.#keysOfService.delete(service)
        else this.#keysOfService.set(service, left)
      }
      return
    }
    this.#kept.clear()
    this.#keysOfService.clear()
  }
}

/** The OPT record at `at`: root name, type 41, a usual size, version 0, no flag but DO, no options. */
function isBareOpt(bytes: Buffer, at: number): boolean {
  return (
    at > headerBytes &&
    bytes[at] === 0 &&
    bytes[at + 1] === 0 &&
    bytes[at + 2] === 41 &&
    keptSizes.includes((bytes[at + 3]! << 8) | bytes[at + 4]!) &&
    (bytes[at + 5]! | bytes[at + 6]! | (bytes[at + 7]! & 0x7f) | bytes[at + 8]! | bytes[at + 9]! | bytes[at + 10]!) ===
      0
  )
}

function hasCapitals(key: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const code = key.charCodeAt(i)
    if (code >= 0x41 && code <= 0x5a) return true
  }
  return false
}
