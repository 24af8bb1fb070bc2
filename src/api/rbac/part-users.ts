// As whom Fairway's own parts speak in a cluster of its own. The API server gives these users their roles, and whoever
// makes the cluster gives the parts certificates of these names.

/** The pod network of each node. */
export const flannelUser = 'system:kube-flannel'
/** The provisioner of each node. */
export const provisionerUser = 'system:fairway-provisioner'
/** The appliance; its role is Kubernetes' own for a service controller. */
export const balancerUser = 'system:fairway-balancer'
