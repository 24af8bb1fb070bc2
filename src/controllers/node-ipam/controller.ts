// effect: requests to the API server
// Gives each node its range of pod addresses.

import { nodes } from '#api/core.ts'
import { UserError } from '#daemon/error.ts'
import type { Controller } from '#controllers/controller.ts'
import { type Pool, planPodCidrs, usualPrefix } from '#controllers/node-ipam/plan.ts'
import { parseCidr } from '#lib/cidr.ts'

const name = 'node-ipam-controller'

export const nodeIpamController: Controller = {
  name,
  alias: 'nodeipam',
  async start(context) {
    const { caches, settings, signal } = context
    if (!settings.allocateNodeCidrs) return
    const pools = readPools(settings.clusterCidr, settings.nodeCidrMaskSize)
    const all = caches.of(nodes)
    const writer = context.writer('cidrAllocator')
    const queue = context.queue('node_ipam', 1, async () =>
      writer.perform(planPodCidrs(all.values(), pools).acts, signal),
    )
    all.listen(({ kind, value }) => {
      // A node that leaves may make room for one that waits.
      if (kind === 'removed' || !value.spec.podCIDR) queue.mark('all')
    })
    await caches.synced()
    await queue.run(signal)
  },
}

function readPools(texts: readonly string[], maskSize: number): readonly Pool[] {
  return texts.map((text) => {
    const cidr = parseCidr(text)
    if (cidr === undefined) {
      const remedy = 'give a range such as 10.244.0.0/16'
      throw new UserError(`--cluster-cidr: "${text}" is no range of addresses`, {
        code: 'BadFlag',
        remedy,
        exitCode: 2,
      })
    }
    const nodePrefix = maskSize === 0 || cidr.base.length === 16 ? usualPrefix(cidr) : maskSize
    if (nodePrefix < cidr.prefix) {
      const remedy = 'give a wider range, or a larger --node-cidr-mask-size'
      throw new UserError(`--cluster-cidr: ${text} has no room for a node's /${nodePrefix}`, {
        code: 'BadFlag',
        remedy,
        exitCode: 2,
      })
    }
    return { cidr, nodePrefix }
  })
}
