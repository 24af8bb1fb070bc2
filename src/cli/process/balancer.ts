// `fairway balancer`: makes load balancers, in the place of a cloud controller manager.
import { partCommand } from '#cli/part-command.ts'
import { addressPoolFlag, readPool } from '#cli/process/address-pool.ts'
import { run } from '#balancer/main.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { toggle } from '#daemon/flags.ts'

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
