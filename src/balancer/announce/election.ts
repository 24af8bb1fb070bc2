// Which addresses a node answers for, as it hears its neighbours: the state between the heartbeats, without sockets or
// a clock of its own.

import { type Candidacy, rankNodes } from '#balancer/announce/plan.ts'

export const heartbeatMs = 200
/** A neighbour that was silent for so long is gone: three heartbeats missed. */
export const silenceMs = 3.25 * heartbeatMs

export type Decision = {
  readonly gained: readonly string[]
  readonly lost: readonly string[]
  /** neighbours that are taken for gone from now on */
  readonly silent: readonly string[]
}

type Ranked = { readonly ip: string; readonly nodes: readonly string[]; readonly ranks: readonly string[] }

/** All times are those of one monotonic clock, in milliseconds. */
export class Election {
  readonly #node: string
  readonly #heard = new Map<string, number>()
  #wanted = new Map<string, Ranked>()
  #owned: ReadonlySet<string> = new Set()
  /** since when it listens to the neighbours */
  #sinceMs: number | undefined
  #beatMs = 0

  constructor(node: string) {
    this.#node = node
  }

  /** The addresses that this node answers for. */
  get owned(): ReadonlySet<string> {
    return this.#owned
  }

  get isListening(): boolean {
    return this.#sinceMs !== undefined
  }

  /** Takes the place of what was wanted before. Ranks are worked out only where something is new. */
  want(candidacies: readonly Candidacy[]): void {
    this.#wanted = new Map(
      candidacies.map(({ ip, nodes }) => {
        const known = this.#wanted.get(ip)
        const isSame = known?.nodes.length === nodes.length && known.nodes.every((name, i) => name === nodes[i])
        return [ip, isSame ? known : { ip, nodes, ranks: rankNodes({ ip, nodes }) }]
      }),
    )
  }

  listen(nowMs: number): void {
    this.#sinceMs = nowMs
    this.#beatMs = nowMs
  }

  /** It hears nobody any more, and answers for nothing from the next decision on. */
  deafen(): void {
    this.#sinceMs = undefined
    this.#heard.clear()
  }

  /** Answers whether the neighbour was not there before. */
  hear(neighbour: string, nowMs: number): boolean {
    const isNew = !this.#heard.has(neighbour)
    this.#heard.set(neighbour, nowMs)
    return isNew
  }

  bidFarewell(neighbour: string): void {
    this.#heard.delete(neighbour)
  }

  /** At each own heartbeat. Whoever was held up itself has not heard its neighbours, which says nothing about them. */
  beat(nowMs: number): Decision {
    if (nowMs - this.#beatMs > 2 * heartbeatMs) for (const name of this.#heard.keys()) this.#heard.set(name, nowMs)
    this.#beatMs = nowMs
    return this.decide(nowMs)
  }

  decide(nowMs: number): Decision {
    const silent = [...this.#heard].filter(([, seenMs]) => nowMs - seenMs > silenceMs).map(([name]) => name)
    for (const name of silent) this.#heard.delete(name)
    // Who has just come does not know yet who else is there: one heartbeat of each tells.
    const mayAnswer = this.#sinceMs !== undefined && nowMs - this.#sinceMs >= heartbeatMs
    const isThere = (name: string) => name === this.#node || this.#heard.has(name)
    const own = [...this.#wanted.values()].filter(({ ranks }) => mayAnswer && ranks.find(isThere) === this.#node)
    const next = new Set(own.map(({ ip }) => ip))
    const gained = [...next].filter((ip) => !this.#owned.has(ip))
    const lost = [...this.#owned].filter((ip) => !next.has(ip))
    this.#owned = next
    return { gained, lost, silent }
  }
}
