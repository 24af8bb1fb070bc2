// Which upstream is asked first, and which are believed to be down: pure decisions over what was seen.

import type { ForwardConfig } from '#dns/corefile/config.ts'

/** What is known of one upstream: how many of its last questions failed in a row. */
export type UpstreamHealth = { readonly fails: number }

/**
 * The order in which to ask upstreams. Those with too many failures come last, not never: when all are down, asking
 * one at random beats giving up. `turn` counts the questions so far; `random` is in [0, 1).
 */
export function askingOrder(
  config: Pick<ForwardConfig, 'policy' | 'maxFails'>,
  health: readonly UpstreamHealth[],
  turn: number,
  random: number,
): number[] {
  const all = health.map((_, index) => index)
  const first =
    config.policy === 'sequential' ? 0 : config.policy === 'round_robin' ? turn : Math.floor(random * all.length)
  const ordered = all.map((index) => (index + first) % all.length)
  const isDown = (index: number) => config.maxFails > 0 && health[index]!.fails >= config.maxFails
  return [...ordered.filter((index) => !isDown(index)), ...ordered.filter(isDown)]
}
