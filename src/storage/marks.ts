// The names by which a provisioner and Kubernetes' volume binder talk to each other
// (sigs.k8s.io/sig-storage-lib-external-provisioner).

export const provisionerName = 'fairway/local'
export const provisionedBy = 'pv.kubernetes.io/provisioned-by'
/** Keeps a volume until its provisioner has taken away what is behind it. */
export const cleanupFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer'
/** The sign to begin; the older one is still written too. */
export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner'
export const selectedNode = 'volume.kubernetes.io/selected-node'
export const hostnameLabel = 'kubernetes.io/hostname'

/** The same claim always gets a volume of the same name, so that it never gets two. */
export const volumeNameOf = (claimUid: string): string => `pvc-${claimUid}`
