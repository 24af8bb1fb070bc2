/** Fairway's own version: that of package.json. */
export const version = '0.1.0'

/** The release of Kubernetes whose semantics and texts Fairway follows. */
export const kubernetesVersion = 'v1.36.2'
