// effect: requests to the API server
import { secrets, type Secret } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { isConflict, isNotFound } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import type { Controller } from '#controllers/controller.ts'
import { planCleaning } from '#controllers/token-cleaner/plan.ts'

const namespace = 'kube-system'
const all = 'tokens'

/** Removes the Secrets of bootstrap tokens when their time is over. */
export const tokenCleaner: Controller = {
  name: 'token-cleaner-controller',
  alias: 'tokencleaner',
  async start({ client, signal, log, clock, queue: createQueue }) {
    const tokens = informer(client, secrets, {
      namespace,
      fieldSelector: 'type=bootstrap.kubernetes.io/token',
      signal,
      log,
      onChange: () => queue.mark(all),
    })
    const queue = createQueue('token_cleaner', 1, async () => {
      const { over, nextMs } = planCleaning(tokens.values() as Iterable<Stored<Secret>>, clock.now())
      for (const { metadata } of over) {
        const { name, uid } = metadata
        await client.delete(secrets, name, { namespace, uid, signal }).catch((error: unknown) => {
          // Gone already, or another token of that name.
          if (!isNotFound(error) && !isConflict(error)) throw error
        })
        log.info('Removed an expired bootstrap token', { secret: name })
      }
      if (nextMs !== undefined) queue.mark(all, Math.max(0, nextMs - clock.now()))
    })
    await tokens.synced
    queue.mark(all)
    await queue.run(signal)
  },
}
