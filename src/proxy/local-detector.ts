// How a packet from a pod of this node is told from others: packets from elsewhere to a cluster IP are masqueraded, and
// pods are spared externalTrafficPolicy Local.

export type LocalDetector =
  /** cannot be told: nothing is taken for a pod, nothing is masqueraded for coming from elsewhere */
  | { readonly kind: 'none' }
  /** the cluster's or the node's pod CIDR */
  | { readonly kind: 'cidr'; readonly cidr: string }
  | { readonly kind: 'bridge'; readonly interface: string }
  | { readonly kind: 'prefix'; readonly prefix: string }
