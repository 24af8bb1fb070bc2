// `fairway announcer`: answers on one node for the addresses of load balancers.
import { hostname } from 'node:os'
import { announcerHealth, run } from '#balancer/announce/main.ts'
import { partCommand } from '#cli/part-command.ts'
import { addressPoolFlag, readPool } from '#cli/process/address-pool.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import { address, text } from '#daemon/flags.ts'

export const announcer = partCommand({
  name: 'announcer',
  summary: "answer on a node's network for the addresses of load balancers",
  description:
    "Answers ARP and neighbour discovery for those addresses of the pool that are this node's to answer for, and takes over\n" +
    'those of a node that has fallen silent. Needs CAP_NET_RAW.',
  examples: ['fairway announcer --kubeconfig node-1.conf --node-name node-1 --address-pool 192.0.2.200-192.0.2.239'],
  flags: {
    nodeName: text({ help: 'name of the Node; default: the host name', placeholder: 'NAME', env: 'NODE_NAME' }),
    ...addressPoolFlag,
    healthAddress: address({
      help: 'where /healthz, /readyz and /metrics answer; 0: nowhere',
      default: `${announcerHealth.host}:${announcerHealth.port}`,
    }),
  },
  run({ kubeconfig, nodeName, addressPool, healthAddress: health }, context) {
    const pool = readPool(addressPool)
    if (pool === undefined)
      throw new UserError('--address-pool is missing: which addresses shall be answered for?', {
        code: 'MissingFlag',
        exitCode: 2,
      })
    const client = connect(loadKubeconfig(kubeconfig))
    return run({ client, nodeName: (nodeName ?? hostname()).trim().toLowerCase(), pool, health }, context)
  },
})
