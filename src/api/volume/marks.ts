// Annotations and finalizers by which the binder, provisioners and the scheduler talk to each other.

export const bindCompleted = 'pv.kubernetes.io/bind-completed'
export const boundByController = 'pv.kubernetes.io/bound-by-controller'
export const provisionedBy = 'pv.kubernetes.io/provisioned-by'
export const migratedTo = 'pv.kubernetes.io/migrated-to'
export const selectedNode = 'volume.kubernetes.io/selected-node'
/** The sign for a provisioner to begin. */
export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner'
/** The older form of the same, which is still written too. */
export const betaStorageProvisioner = 'volume.beta.kubernetes.io/storage-provisioner'
export const claimProtection = 'kubernetes.io/pvc-protection'
export const volumeProtection = 'kubernetes.io/pv-protection'
/** Keeps a volume until its provisioner has taken away what is behind it. */
export const cleanupFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer'
