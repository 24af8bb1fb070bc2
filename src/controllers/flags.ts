// The flags of the controllers; names and defaults are those of kube-controller-manager, and one for the scheduler.

import { type OptionsOf, address, duration, list, number, text, toggle } from '#daemon/flags.ts'

export const controllerFlags = {
  controllers: list({
    placeholder: 'NAME,...',
    default: ['*'],
    help: `which controllers run: * is all, a name one, -NAME all but this`,
  }),
  clusterCidr: list({
    placeholder: 'CIDR,...',
    default: ['10.244.0.0/16'],
    help: 'range of pod addresses, out of which each node gets a part; one for each family',
  }),
  nodeCidrMaskSize: number({
    placeholder: 'BITS',
    default: 0,
    min: 0,
    max: 32,
    help: 'size of the part of a node; 0 means 24, and 64 for IPv6',
  }),
  allocateNodeCidrs: toggle({ default: true, help: 'give each node its range of pod addresses' }),
  nodeMonitorGracePeriod: duration({
    default: '50s',
    help: 'how long a node may be silent before it counts as not ready',
  }),
  nodeStartupGracePeriod: duration({ default: '1m', help: 'the same for a node that has never reported' }),
  terminatedPodGcThreshold: number({
    default: 12_500,
    min: 1,
    help: 'how many finished pods are kept before the oldest are removed',
  }),
  maxEndpointsPerSlice: number({ default: 100, min: 1, max: 1000, help: 'most endpoints in one EndpointSlice' }),
  rootCaFile: text({
    placeholder: 'FILE',
    help: 'certificates that go into the ConfigMap kube-root-ca.crt of each namespace; default: those of the kubeconfig',
  }),
  clusterSigningCertFile: text({
    placeholder: 'FILE',
    help: 'authority that signs certificates which nodes and others ask for; without it nobody does',
  }),
  clusterSigningKeyFile: text({ placeholder: 'FILE', help: 'its key' }),
  controllersHealthAddress: address({
    default: '127.0.0.1:10257',
    help: 'where /healthz, /readyz and /metrics of the controllers are; 0 turns them off',
  }),
  useServiceAccountCredentials: toggle({
    help: 'each controller speaks as a service account of its own, with the rights of its role',
  }),
  schedulerKubeconfig: text({
    placeholder: 'FILE',
    help: 'as whom the scheduler speaks; default: as the controllers do',
  }),
  leaderElect: toggle({ help: 'wait for the lease kube-system/kube-controller-manager, for more than one process' }),
  leaderElectLeaseDuration: duration({
    default: '15s',
    help: 'how long a leader that says nothing stays the leader',
  }),
}

export type ControllerFlags = OptionsOf<typeof controllerFlags>

/** What controllers go by, out of the flags. */
export type Settings = Pick<
  ControllerFlags,
  | 'clusterCidr'
  | 'nodeCidrMaskSize'
  | 'allocateNodeCidrs'
  | 'nodeMonitorGracePeriod'
  | 'nodeStartupGracePeriod'
  | 'terminatedPodGcThreshold'
  | 'maxEndpointsPerSlice'
> & {
  /** PEM; undefined: nothing is published */
  readonly rootCa: string | undefined
  /** PEM; undefined: nothing is signed */
  readonly clusterSigning?: { readonly cert: string; readonly key: string } | undefined
}
