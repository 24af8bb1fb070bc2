// `fairway balancer`: makes load balancers, in the place of a cloud controller manager.
import { partCommand } from '#cli/part-command.ts'
import { run } from '#balancer/main.ts'
import { type AddressPool, parseRange } from '#balancer/pool/address-pool.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { list, toggle } from '#daemon/flags.ts'

export const addressPoolFlag = {
  addressPool: list({
    help: 'addresses for Services of type LoadBalancer: FIRST-LAST or a CIDR, of either family',
    placeholder: 'RANGE',
  }),
}

export const balancer = partCommand({
  name: 'balancer',
  summary: 'load balancers: gives Services of type LoadBalancer an address',
  description:
    'Gives each Service an address out of a pool, with the finalizer and the events of a cloud provider. `fairway\n' +
    'announcer` on the nodes answers for these addresses. Without a pool it tells each such Service that nobody serves it.',
  examples: [
    'fairway balancer --address-pool 192.0.2.200-192.0.2.239',
    'fairway balancer --address-pool 192.0.2.224/28',
  ],
  flags: {
    ...addressPoolFlag,
    default: toggle({ help: 'also serve Services without a loadBalancerClass', default: true }),
    leaderElect: toggle({ help: 'wait for the lease kube-system/fairway-balancer, for more than one process' }),
  },
  run: ({ kubeconfig, addressPool, default: isDefault, leaderElect }, context) =>
    run({ client: connect(loadKubeconfig(kubeconfig)), pool: readPool(addressPool), isDefault, leaderElect }, context),
})

/** undefined: no pool is given. */
export function readPool(texts: readonly string[]): AddressPool | undefined {
  if (texts.length === 0) return undefined
  const ranges = texts.map((text) => {
    const range = parseRange(text)
    if (range) return range
    throw new UserError(`--address-pool: "${text}" is no range of addresses`, {
      code: 'BadFlag',
      remedy: 'give FIRST-LAST, as 10.0.0.200-10.0.0.239, or a CIDR',
      exitCode: 2,
    })
  })
  return { text: texts.join(','), ranges }
}
