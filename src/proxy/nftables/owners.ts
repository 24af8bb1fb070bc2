// Who has a front end where two Services claim the same address and port: the first one, until it gives it up. Then it
// is the turn of those that had to wait.

export class Owners {
  /** front end -> port of a Service */
  readonly #owners = new Map<string, string>()
  /** front end -> Services that would like to have it */
  readonly #waiting = new Map<string, Set<string>>()

  /** Takes the front end if nobody has it, else remembers that `service` waits. */
  claim(front: string, port: string, service: string): void {
    const owner = this.#owners.get(front)
    if (owner === undefined) this.#owners.set(front, port)
    else if (owner !== port) {
      const waiting = this.#waiting.get(front) ?? new Set<string>()
      this.#waiting.set(front, waiting.add(service))
    }
  }

  owns(front: string, port: string): boolean {
    return this.#owners.get(front) === port
  }

  release(front: string, port: string): void {
    if (this.owns(front, port)) this.#owners.delete(front)
  }

  /** Services that wait for a front end, which are not asked a second time unless they claim again. */
  takeWaiting(front: string): Iterable<string> {
    const waiting = this.#waiting.get(front)
    if (waiting === undefined) return []
    this.#waiting.delete(front)
    return waiting
  }

  clear(): void {
    this.#owners.clear()
    this.#waiting.clear()
  }
}
