// What this provisioner is called, and what it calls its volumes.

export const provisionerName = 'fairway/local'
export const hostnameLabel = 'kubernetes.io/hostname'

/** The same claim always gets a volume of the same name, so that it never gets two. */
export const volumeNameOf = (claimUid: string): string => `pvc-${claimUid}`
