// effect: signals of this process
import { constants } from 'node:os'

/**
 * A signal that is aborted by the first SIGINT or SIGTERM. The second one ends the process at once, for someone who does
 * not want to wait.
 */
export function terminationSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name])
      controller.abort(new Error(`ended by ${name}`))
    })
  return controller.signal
}
