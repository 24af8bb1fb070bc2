// Node ports on a store that several servers share: before a Service with a port is stored, its server claims the port for
// a minute, so that another one which has not seen the Service yet gives it to nobody.

import type { Store } from '#apiserver/store/store.ts'

/** Longer than any write takes. */
const ttlSeconds = 60

export type PortClaims = {
  /** Answers the port that another server has; then none of them is claimed. */
  claim(ports: readonly number[]): Promise<number | undefined>
  disclaim(ports: readonly number[]): Promise<void>
}

export function portClaimsOn(store: Store): PortClaims {
  const keyOf = (port: number) => `~claims/node-ports/${port}`
  const disclaim = async (ports: readonly number[]) => {
    for (const port of ports) {
      const found = await store.get(keyOf(port))
      if (found !== undefined) await store.delete(keyOf(port), found.revision)
    }
  }
  return {
    disclaim,
    async claim(ports) {
      const claimed: number[] = []
      for (const port of ports) {
        const { done } = await store.create(keyOf(port), { text: '{}' }, { ttlSeconds })
        if (!done) {
          await disclaim(claimed)
          return port
        }
        claimed.push(port)
      }
      return undefined
    },
  }
}
