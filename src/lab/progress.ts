// What is going on, for someone who waits: one live line on a terminal, otherwise a plain line for each step that is done,
// with the time that it took. Also keeps the times, for --timings.
import type { Clock } from '#daemon/clock.ts'
import type { Output } from '#daemon/command.ts'
import { renderTable } from '#lib/table.ts'

export type Phase = { readonly name: string; readonly startMs: number; readonly endMs: number }

export interface Progress {
  /** Runs a step; steps may overlap. */
  step<T>(name: string, act: () => Promise<T> | T): Promise<T>
  /** A line that stays. */
  say(line: string): void
  /** Times since the beginning, in the order in which the steps began. */
  readonly phases: readonly Phase[]
  /** Takes the live line away. */
  end(): void
}

export function createProgress(output: Output, clock: Clock): Progress {
  const began = clock.monotonicMs()
  const now = () => clock.monotonicMs() - began
  const phases: Phase[] = []
  const running = new Map<string, number>()
  const isLive = output.isTTY === true
  let isShown = false
  const clear = () => {
    if (isShown) output.write('\r\u001B[K')
    isShown = false
  }
  const show = () => {
    if (!isLive) return
    clear()
    if (running.size === 0) return
    const line = `${[...running.keys()].join(', ')} ...`
    output.write(line.slice(0, (output.columns ?? 80) - 1))
    isShown = true
  }
  return {
    phases,
    async step(name, act) {
      const startMs = now()
      running.set(name, startMs)
      show()
      try {
        const result = await act()
        phases.push({ name, startMs, endMs: now() })
        running.delete(name)
        if (!isLive) output.write(`${name}: ${seconds(now() - startMs)}\n`)
        return result
      } finally {
        running.delete(name)
        show()
      }
    },
    say: (line) => {
      clear()
      output.write(`${line}\n`)
      show()
    },
    end: clear,
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 1000 ? 3 : 1)} s`

/** The phases as a table: when each began, when it ended, how long it took, all in milliseconds. */
export const renderPhases = (phases: readonly Phase[]): string =>
  renderTable([
    ['PHASE', 'FROM', 'TO', 'TOOK (ms)'],
    ...phases
      .toSorted((a, b) => a.startMs - b.startMs)
      .map(({ name, startMs, endMs }) =>
        [name, startMs, endMs, endMs - startMs].map((cell) => (typeof cell === 'string' ? cell : cell.toFixed(0))),
      ),
  ])
