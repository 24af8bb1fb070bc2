// effect: standard error
// What the subcommands that run a part have in common: how to reach the cluster, how to log, when to end.
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone, type Command } from '#daemon/command.ts'
import { choice, number, text, type Flags, type OptionsOf } from '#daemon/flags.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { PartContext } from '#daemon/part.ts'

export const logFlags = {
  logFormat: choice(['text', 'json'], { help: 'how log lines look: as those of Kubernetes, or JSON', default: 'text' }),
  v: number({ help: 'log level: 0 what happens, 2 how, 4 every detail', default: 0, min: 0, max: 10, short: 'v' }),
}
export const partFlags = {
  kubeconfig: text({
    help: 'how to reach the API server; without it $KUBECONFIG, ~/.kube/config, or the pod that this runs in',
    placeholder: 'FILE',
  }),
  ...logFlags,
}

/** A part that does not end in this time after the signal is left behind. */
const graceMs = 10_000

/**
 * Makes the subcommand of a part: `run` gets the flags of the table, --kubeconfig, --log-format and --v, and what every
 * part gets. It ends with code 0 after SIGINT or SIGTERM.
 */
export function partCommand<const F extends Flags>(part: {
  readonly name: string
  readonly summary: string
  readonly description?: string
  readonly examples: readonly string[]
  readonly flags: F
  /** `given`: the options that were given, not left to their defaults */
  run(options: OptionsOf<F & typeof partFlags>, context: PartContext, given: ReadonlySet<string>): Promise<void>
}): Command<F & typeof partFlags> {
  return defineCommand({
    ...part,
    usage: '[flags]',
    flags: { ...part.flags, ...partFlags } as F & typeof partFlags,
    async run(options, rest, { signal, stderr, given }) {
      takesNone(part.name, rest)
      const { logFormat, v } = options as OptionsOf<typeof partFlags>
      const log = createLogger({ format: logFormat, level: v, write: (line) => void stderr.write(line) })
      const context = { signal, log, clock: systemClock, registry: createRegistry() }
      return endInTime(part.run(options, context, given), context)
    },
  })
}

/** Waits for the part, but not for ever once it shall end; what it throws then is no failure. */
export async function endInTime(running: Promise<void>, { signal, log }: PartContext): Promise<number> {
  const late = new Promise<number>((resolve) => {
    const start = () =>
      setTimeout(() => {
        log.warn(`did not end within ${graceMs / 1000} seconds`)
        resolve(1)
      }, graceMs).unref()
    signal.addEventListener('abort', start, { once: true })
  })
  const ended = running.then(
    () => 0,
    (error: unknown) => {
      if (signal.aborted) return 0
      throw error
    },
  )
  return Promise.race([ended, late])
}
