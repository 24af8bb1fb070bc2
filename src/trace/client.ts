// What the program that sent a packet sees of it all.

import { errorWords, type SocketError } from '#trace/refusal.ts'
import type { Traced } from '#trace/trace.ts'
import type { Outcome } from '#trace/move.ts'
import type { CallError } from '#trace/way.ts'

/** `smaller`: the kernel learns how much it may send at once, and sends again. */
export type ClientSees = 'answer' | 'timeout' | 'smaller' | SocketError

/** Undefined where the inputs do not tell. A datagram's errors are those of a connected socket. */
export function clientSees({ outcome, answer, packet }: Traced): ClientSees | undefined {
  if (outcome.kind === 'ended') {
    const { end } = outcome
    if (end.kind === 'unknown' || end.kind === 'balanced') return undefined
    if (end.call !== undefined && hears(end.call, packet.protocol)) return end.call.error
    if (end.kind === 'drop' || end.unheard !== undefined) return 'timeout'
  }
  switch (answer.kind) {
    case 'none':
      return undefined
    case 'returns':
      return 'answer'
    case 'strange':
      return 'timeout'
    case 'lost':
      return isGone(answer.outcome) ? 'timeout' : undefined
    case 'refused':
      if (answer.with === 'icmp-frag-needed') return packet.protocol === 'tcp' ? 'smaller' : 'EMSGSIZE'
      return answer.error ?? 'timeout'
  }
}

const isGone = (outcome: Outcome) =>
  outcome.kind === 'delivered' || (outcome.kind === 'ended' && outcome.end.kind !== 'unknown')

const hears = (call: CallError, protocol: string) => call.hears === 'every socket' || protocol !== 'tcp'

/** `connection refused (ECONNREFUSED)` */
export function renderSees(sees: ClientSees): string {
  switch (sees) {
    case 'answer':
      return 'an answer'
    case 'timeout':
      return 'nothing, and times out'
    case 'smaller':
      return 'nothing of it: its kernel learns to send less at once'
    default:
      return `"${errorWords[sees]}" (${sees})`
  }
}
