// `fairway control-plane`: API server and controllers in one process, for a cluster on one machine. They meet over HTTPS
// as they would anywhere; being one process saves the memory of a second.
import { apiserverFlags, serverOptions } from '#cli/process/apiserver.ts'
import { endInTime } from '#cli/part-command.ts'
import { run as runApiserver } from '#apiserver/main.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { controllerFlags } from '#controllers/flags.ts'
import { run as runControllers } from '#controllers/main.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { address, type OptionsOf, text } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { PartContext } from '#daemon/part.ts'
import { tellReady } from '#daemon/ready.ts'

const flags = {
  ...apiserverFlags,
  ...controllerFlags,
  controllersKubeconfig: text({
    help: 'how the controllers reach the API server',
    placeholder: 'FILE',
    required: true,
  }),
  controllersHealthAddress: address({
    help: "where the controllers' /healthz and /metrics are served",
    default: '127.0.0.1:10257',
  }),
}
type Options = OptionsOf<typeof flags>

export const controlPlane = defineCommand({
  name: 'control-plane',
  summary: 'API server and controllers in one process',
  usage: '[flags]',
  description: 'Takes the flags of both. It is what `fairway up` starts.',
  examples: ['fairway control-plane --data-file store.db --controllers-kubeconfig controllers.kubeconfig'],
  flags,
  async run(options, rest, { signal, stderr }) {
    takesNone('control-plane', rest)
    const { logFormat: format, v: level } = options
    const log = createLogger({ format, level, write: (line) => void stderr.write(line) })
    const both = new AbortController()
    const either = AbortSignal.any([signal, both.signal])
    const context = { signal: either, log, clock: systemClock, registry: createRegistry() }
    // Neither is of use without the other.
    const running = Promise.all([runApi(options, context), runControl(options, context)]).catch((error: unknown) => {
      both.abort(error)
      throw error
    })
    return endInTime(
      running.then(() => undefined),
      { ...context, signal },
    )
  },
})

const runApi = (options: Options, context: PartContext): Promise<void> =>
  runApiserver({ ...serverOptions(options).server, onReady: tellReady }, context)

async function runControl(options: Options, context: PartContext): Promise<void> {
  let isSynced = false
  const health = options.controllersHealthAddress
  if (health)
    await serveHealth({
      address: health.host,
      port: health.port,
      checks: { caches: () => (isSynced ? undefined : 'not synced yet') },
      notLive: ['caches'],
      registry: context.registry,
      signal: context.signal,
    })
  const config = loadKubeconfig(options.controllersKubeconfig)
  const client = connect(config)
  await runControllers({ ...options, client, rootCa: config.ca, onSynced: () => (isSynced = true) }, context)
}
