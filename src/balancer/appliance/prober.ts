// effect: HTTP requests
// Asks URLs again and again whether the node behind them is well, as the health checks of a load balancer do.

import { type Health, judge } from '#balancer/appliance/plan.ts'
import type { Clock } from '#daemon/clock.ts'
import { request } from '#daemon/http.ts'

const intervalMs = 500
const limitMs = 1000

export type Prober = {
  /** These and no others are asked from now on. */
  want(urls: Iterable<string>): void
  readonly health: ReadonlyMap<string, Health>
}

/** `onChange`: a node has become well, or unwell. */
export function startProber(clock: Clock, signal: AbortSignal, onChange: () => void): Prober {
  const health = new Map<string, Health>()
  /** each with the look that is next or under way: what is not wanted any more, and then again, is begun anew */
  const looks = new Map<string, symbol>()
  const ask = async (url: string, look: symbol) => {
    const isOver = () => signal.aborted || looks.get(url) !== look
    if (isOver()) return
    const { isOk, said } = await probe(url)
    if (isOver()) return
    const old = health.get(url)
    const next = judge(old, isOk, said)
    health.set(url, next)
    if (old?.isUp !== next.isUp) onChange()
    clock.after(intervalMs, () => void ask(url, look))
  }
  return {
    want(urls) {
      const wanted = new Set(urls)
      for (const url of looks.keys())
        if (!wanted.has(url)) {
          looks.delete(url)
          health.delete(url)
        }
      for (const url of wanted) {
        if (looks.has(url)) continue
        const look = Symbol(url)
        looks.set(url, look)
        void ask(url, look)
      }
    },
    health,
  }
}

function probe(url: string): Promise<{ readonly isOk: boolean; readonly said: string }> {
  return new Promise((resolve) => {
    const asked = request(url, { timeout: limitMs, agent: false }, (response) => {
      const { statusCode = 0 } = response
      response.resume()
      resolve({ isOk: statusCode === 200, said: String(statusCode) })
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${limitMs} ms`)))
    asked.on('error', (error: NodeJS.ErrnoException) => resolve({ isOk: false, said: error.code ?? error.message }))
    asked.end()
  })
}
