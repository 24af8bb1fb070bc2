// effect: DNS
// Addresses of names outside, for Services of type ExternalName: asked for as long as somebody uses them.

import { lookup } from 'node:dns/promises'
import type { Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { equalJson } from '#lib/equal.ts'
import { parseIp } from '#lib/ip.ts'

/** The system's resolver does not tell how long an answer holds. */
const againAfterMs = 10_000

/** This machine itself, and what clouds keep there: whoever may write a Service shall not reach these by it. */
const refused = ['127.0.0.0/8', '0.0.0.0/8', '169.254.0.0/16', '::1/128', '::/128', '::ffff:0:0/96', 'fe80::/10'].map(
  (text) => parseCidr(text)!,
)

export type NameResolverOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  isUsed(name: string): boolean
  onChange(name: string): void
}

export class NameResolver {
  readonly #options: NameResolverOptions
  readonly #known = new Map<string, readonly string[]>()

  constructor(options: NameResolverOptions) {
    this.#options = options
  }

  /** What is known of it now. The first call asks; `onChange` tells of the answer, and of others later. */
  addresses(name: string): readonly string[] {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    this.#known.set(name, [])
    void this.#follow(name)
    return []
  }

  async #follow(name: string): Promise<void> {
    const { clock, isUsed, log, onChange, signal } = this.#options
    do {
      try {
        const found = (await lookup(name, { all: true })).map(({ address }) => address).sort()
        const usable = found.filter((address) => !refused.some((range) => containsIp(range, parseIp(address)!)))
        if (usable.length < found.length) log.warn('addresses of this machine itself are not used', { name })
        if (!equalJson(usable, this.#known.get(name))) {
          this.#known.set(name, usable)
          onChange(name)
        }
      } catch (error) {
        log.warn('cannot resolve the name of a Service of type ExternalName', { name, err: messageOf(error) })
      }
      await clock.sleep(againAfterMs, signal)
    } while (!signal.aborted && isUsed(name))
    this.#known.delete(name)
  }
}
