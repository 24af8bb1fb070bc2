// Says what is wrong once, when it begins and not at every look: in the log, and as an Event on the node.

import type { Logger } from '#daemon/log.ts'
import type { Problem } from '#flannel/backend.ts'
import type { LeaseSource } from '#flannel/lease-source.ts'

export interface ProblemLog {
  /** nothing can be done yet, and someone else is at work on that: a node that is new has no range */
  waiting(reason: string): void
  /** nothing at all can be done, for this reason; undefined: it can */
  blocked(reason: string | undefined): void
  /** all that is wrong with peers now */
  found(problems: readonly Problem[]): void
  /** why nothing can be done; undefined: it can */
  readonly reason: string | undefined
}

export function createProblemLog(log: Logger, source: Pick<LeaseSource, 'warn'>): ProblemLog {
  let reason: string | undefined
  let known = new Set<string>()
  return {
    waiting(now) {
      if (now !== reason) log.info(`Waiting: ${now}`)
      reason = now
    },
    blocked(now) {
      if (now !== undefined && now !== reason) {
        log.error(now)
        source.warn('NetworkNotReady', now)
      }
      reason = now
    },
    found(problems) {
      const now = new Set<string>()
      for (const { code, message } of problems) {
        now.add(message)
        if (known.has(message)) continue
        log.warn(message)
        // Another back end on some nodes is how one moves from one to the other: no reason for alarm.
        if (code !== 'OtherBackend') source.warn(code, message)
      }
      known = now
    },
    get reason() {
      return reason
    },
  }
}
