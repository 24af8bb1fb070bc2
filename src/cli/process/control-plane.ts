// `fairway control-plane`: the API server and the controllers in one process. They talk HTTP as they would from apart, with
// the same rights, over streams in memory.

import { endInTime } from '#cli/part-command.ts'
import { apiserverFlags, localUrl, serverOptions } from '#cli/process/apiserver.ts'
import { addressPoolFlag, readPool } from '#cli/process/address-pool.ts'
import { controllersOptions } from '#cli/process/controllers.ts'
import { run as runApiserver, type Serving } from '#apiserver/main.ts'
import { run as runServiceController } from '#balancer/main.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import { controllerFlags } from '#controllers/flags.ts'
import { type ControllersOptions, run as runControllers } from '#controllers/main.ts'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { text } from '#daemon/flags.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { PartContext } from '#daemon/part.ts'
import { tellReady } from '#daemon/ready.ts'

export const controlPlane = defineCommand({
  name: 'control-plane',
  summary: 'API server and controllers in one process',
  usage: '[flags]',
  description: 'Takes the flags of both. It is what `fairway up` starts.',
  examples: [
    'fairway control-plane --bind-address 127.0.0.1 --data-file /tmp/try/store.db',
    'fairway control-plane --controllers "*,-scheduler"',
  ],
  flags: {
    ...apiserverFlags,
    ...controllerFlags,
    ...addressPoolFlag,
    controllersKubeconfig: text({
      help: 'as whom the controllers speak; without it the administrator, where the server makes its own certificates',
      placeholder: 'FILE',
    }),
  },
  async run(options, rest, { signal, stderr }) {
    takesNone('control-plane', rest)
    const log = createLogger({ format: options.logFormat, level: options.v, write: (line) => void stderr.write(line) })
    const context = { signal, log, clock: systemClock, registry: createRegistry() }
    const { server, own } = serverOptions(options)
    const pool = readPool(options.addressPool)
    if (own === undefined && options.controllersKubeconfig === undefined)
      throw new UserError('--controllers-kubeconfig is missing: the controllers need to be someone', {
        code: 'MissingFlag',
        exitCode: 2,
      })
    return endInTime(
      runBoth(
        (context, onReady) => runApiserver({ ...server, onReady }, context),
        async ({ port, dial }, context) => {
          const path = own?.writeKubeconfig(localUrl(options.bindAddress, port))
          tellReady()
          if (path !== undefined) stderr.write(`fairway: ready on port ${port}: export KUBECONFIG=${path}\n`)
          const given = controllersOptions(options, options.controllersKubeconfig ?? path, dial)
          const controllers = { ...given, clusterSigning: given.clusterSigning ?? own?.authority }
          await Promise.all([runControllers(controllers, context), runBalancer(controllers, pool, context)])
        },
        context,
      ),
      context,
    )
  },
})

/** What a cloud controller manager does elsewhere, as the account of its only controller. */
async function runBalancer(
  { client, clientAs }: ControllersOptions,
  pool: AddressPool | undefined,
  context: PartContext,
): Promise<void> {
  const writingClient = clientAs?.('service-controller') ?? client
  await runServiceController(
    { client, writingClient, making: pool && { provider: 'pool', pool }, isDefault: true, leaderElect: false },
    context,
  )
}

type Server = (context: PartContext, onReady: (at: Serving) => void) => Promise<void>
type Controllers = (at: Serving, context: PartContext) => Promise<void>

/** The server first, then the controllers; at the end the other way round, so that these can finish their writes. */
async function runBoth(server: Server, controllers: Controllers, context: PartContext): Promise<void> {
  const stopServer = new AbortController()
  const stopControllers = new AbortController()
  const ready = Promise.withResolvers<Serving>()
  const serving = server({ ...context, signal: stopServer.signal }, (at) => ready.resolve(at))
  const ended = serving.finally(() => {
    stopControllers.abort()
    ready.reject(new Error('the API server has ended'))
  })
  const inner = { ...context, signal: AbortSignal.any([context.signal, stopControllers.signal]) }
  context.signal.addEventListener('abort', () => ready.reject(context.signal.reason as Error), { once: true })
  const controlling = ready.promise.then(
    (at) => controllers(at, inner),
    () => {},
  )
  try {
    await Promise.race([controlling, ended])
    await controlling
  } finally {
    stopServer.abort()
    await Promise.allSettled([controlling, ended])
  }
  await serving
}
