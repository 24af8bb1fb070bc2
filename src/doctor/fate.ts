// Whether a connection would work, by one way of its trace to the process that has the port.

import { isUnfollowed } from '#doctor/checks/paths.ts'
import { podsByIp, type View } from '#doctor/view.ts'
import type { Traced } from '#trace/trace.ts'

export type Fate = 'works' | 'fails' | 'unknown'

/** `unknown`: for lack of inputs, or beyond what is known. */
export function fateOf(view: View, { outcome, answer, conditions, packet }: Traced): Fate {
  const ends = [outcome, ...(answer.kind === 'lost' ? [answer.outcome] : [])]
  if (conditions.length > 0 || ends.some((end) => isUnfollowed(view, end))) return 'unknown'
  switch (outcome.kind) {
    case 'ended':
      return outcome.end.kind === 'unknown' || outcome.end.kind === 'balanced' ? 'unknown' : 'fails'
    case 'left':
      // Whoever is a pod is behind a machine that is known, and nobody outside has a cluster IP.
      return podsByIp(view).has(packet.destination) || isClusterIp(view, packet.destination) ? 'fails' : 'unknown'
    case 'sent':
      return 'unknown'
    case 'delivered':
      if (answer.kind === 'lost' || answer.kind === 'strange') return 'fails'
      return outcome.listener === 'unknown' ? 'unknown' : outcome.listener === 'yes' ? 'works' : 'fails'
  }
}

const isClusterIp = ({ services = [] }: View, ip: string): boolean =>
  services.some(({ spec }) => spec?.clusterIP === ip || spec?.clusterIPs?.includes(ip) === true)
