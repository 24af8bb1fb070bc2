// `fairway balancer`: makes load balancers, in the place of a cloud controller manager.
import type { Standing } from '#balancer/appliance/plan.ts'
import { type Making, run } from '#balancer/main.ts'
import type { AddressPool } from '#balancer/pool/address-pool.ts'
import { partCommand } from '#cli/part-command.ts'
import { addressPoolFlag, readPool } from '#cli/process/address-pool.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { address, choice, text, toggle } from '#daemon/flags.ts'
import { serveHealth } from '#daemon/health.ts'
import { tellReady } from '#daemon/ready.ts'

const providers = ['pool', 'appliance'] as const

export const balancer = partCommand({
  name: 'balancer',
  summary: 'load balancers: gives Services of type LoadBalancer an address',
  description:
    'Gives each Service an address out of a pool, with the finalizer and the events of a cloud provider. With the provider\n' +
    '`pool` the nodes answer for the addresses (`fairway announcer` on each). With `appliance` this machine does: it has\n' +
    'the addresses, asks the nodes how they are, and sends to the NodePorts of those that are well.\n' +
    'Without a pool it tells each such Service that nobody serves it.',
  examples: [
    'fairway balancer --address-pool 192.0.2.200-192.0.2.239',
    'fairway balancer --provider appliance --interface eth0 --address-pool 192.0.2.224/28',
  ],
  flags: {
    provider: choice(providers, { help: 'how traffic gets to the nodes', default: 'pool' }),
    ...addressPoolFlag,
    interface: text({ help: 'with appliance: what gets the addresses', default: 'eth0', placeholder: 'NAME' }),
    default: toggle({ help: 'also serve Services without a loadBalancerClass', default: true }),
    healthAddress: address({
      help: 'where /healthz, /readyz, /metrics and, with appliance, /backends are served; 0 turns them off',
      default: '127.0.0.1:10258',
    }),
    leaderElect: toggle({ help: 'wait for the lease kube-system/fairway-balancer, for more than one process' }),
  },
  async run({ kubeconfig, provider, default: isDefault, leaderElect, healthAddress: at, ...flags }, context) {
    const pool = readPool(flags.addressPool)
    let standings: readonly Standing[] = []
    let isSynced = false
    if (at !== undefined)
      await serveHealth({
        address: at.host,
        port: at.port,
        checks: { caches: () => (isSynced ? undefined : 'caches are not synced yet') },
        notLive: ['caches'],
        registry: context.registry,
        signal: context.signal,
        extra: {
          '/backends': (_request, response) =>
            void response.setHeader('content-type', 'application/json').end(`${JSON.stringify(standings)}\n`),
        },
      })
    await run(
      {
        client: connect(loadKubeconfig(kubeconfig)),
        making: makingOf(provider, pool, flags.interface, (now) => (standings = now)),
        isDefault,
        leaderElect,
        onSynced: () => {
          isSynced = true
          tellReady()
        },
      },
      context,
    )
  },
})

function makingOf(
  provider: (typeof providers)[number],
  pool: AddressPool | undefined,
  link: string,
  onStandings: (standings: readonly Standing[]) => void,
): Making | undefined {
  if (provider === 'pool') return pool && { provider, pool }
  if (pool) return { provider, pool, link, onStandings }
  throw new UserError('--address-pool is missing: which addresses may the appliance have?', {
    code: 'MissingFlag',
    exitCode: 2,
  })
}
