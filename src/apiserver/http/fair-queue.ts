// Who may go on when many ask at once: so many at the same time, and between users by turns, so that the many requests of
// one do not keep the few of another waiting (what Kubernetes calls priority and fairness).

export type FairQueueOptions = {
  /** the weights of what goes on at the same time, together */
  readonly seats: number
  /** how many requests of one user may wait */
  readonly mostWaiting: number
}

type Waiter = { readonly weight: number; go(): void }
export type Leave = () => void

export class FairQueue {
  readonly #options: FairQueueOptions
  #taken = 0
  /** in the order of their turns */
  readonly #waiting = new Map<string, Waiter[]>()

  constructor(options: FairQueueOptions) {
    this.#options = options
  }

  /** Undefined: too many of this user wait already. `leave` must be called once. */
  enter(user: string, weight: number): Promise<Leave> | Leave | undefined {
    const fitting = Math.min(weight, this.#options.seats)
    if (this.#waiting.size === 0 && this.#taken + fitting <= this.#options.seats) return this.#take(fitting)
    const waiters = this.#waiting.get(user) ?? []
    if (waiters.length >= this.#options.mostWaiting) return undefined
    this.#waiting.set(user, waiters)
    return new Promise((resolve) => {
      waiters.push({ weight: fitting, go: () => resolve(this.#take(fitting)) })
    })
  }

  get waiting(): number {
    let sum = 0
    for (const waiters of this.#waiting.values()) sum += waiters.length
    return sum
  }

  #take(weight: number): Leave {
    this.#taken += weight
    return () => {
      this.#taken -= weight
      this.#admit()
    }
  }

  /** The first of the user whose turn it is; that user is then the last. */
  #admit(): void {
    for (;;) {
      const next = this.#waiting.entries().next()
      if (next.done === true) return
      const [user, waiters] = next.value
      const [first] = waiters
      // Nobody overtakes the one whose turn it is: else what weighs much would wait for ever.
      if (first === undefined || this.#taken + first.weight > this.#options.seats) return
      this.#waiting.delete(user)
      waiters.shift()
      if (waiters.length > 0) this.#waiting.set(user, waiters)
      first.go()
    }
  }
}
