// host-gw: each peer's range is routed to the peer's own address, which must be on the same link: no tunnel, no cost, but
// only within one layer 2 network. The route of the source text: `10.244.1.0/24 via 10.168.0.3 dev eth0`.

import { containsIp, parseCidr } from '#lib/cidr.ts'
import type { Backend, FamilyPlan, PlannedRoute, Problem, Self } from '#flannel/backend.ts'
import type { Peer } from '#flannel/lease.ts'

export const hostGw = (): Backend => ({
  type: 'host-gw',
  overhead: () => 0,
  refuse: ({ ip, publicIp, link }) =>
    ip === publicIp
      ? undefined
      : `host-gw cannot work behind NAT: the public address is ${publicIp}, but ${link} has ${ip}`,
  announce: () => 'null',
  plan(self, peers): FamilyPlan {
    const routes: PlannedRoute[] = []
    const problems: Problem[] = []
    for (const peer of peers)
      if (isOnLink(self, peer)) routes.push(routeTo(self, peer))
      else
        problems.push({
          code: 'NotOnLink',
          node: peer.node,
          message: `no route to ${peer.subnet}: ${peer.publicIp} of ${peer.node} is not on the network of ${self.link} (${self.onLink.join(', ')}), which host-gw needs`,
        })
    return { family: self.family, routes, problems, neighbours: [], forwarding: [] }
  },
})

export const isOnLink = ({ onLink }: Self, { publicIp }: Peer): boolean =>
  onLink.some((range) => containsIp(parseCidr(range)!, publicIp))

export const routeTo = ({ link }: Self, { subnet, publicIp }: Peer): PlannedRoute => ({
  destination: subnet,
  via: publicIp,
  link,
  onlink: false,
})
