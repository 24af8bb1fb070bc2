// effect: links of this network namespace
// Tests that make bridges and routes: only in a network namespace of their own, as `npm test` gives them.
import { openRoute } from '#kernel/route/open-route.ts'

/** For `test(name, { skip: needOwnNetwork() }, ...)`. */
export function needOwnNetwork(): string | false {
  using route = openRoute()
  const isOwn = route.links().every(({ loopback, kind }) => loopback || kind === 'bridge' || kind === 'veth')
  return isOwn ? false : 'needs a network namespace of its own: use npm test'
}
