// What the agent can be told. Names and defaults are those of kubelet's flags where it has them.
import type { Client } from '#client/client.ts'
import type { Address } from '#daemon/flags.ts'
import type { HairpinMode } from '#node/cni/network.ts'
import type { NodePart } from '#node/mirror/mirror-pod.ts'

export type AgentOptions = {
  readonly client: Client
  readonly nodeName: string
  /** false: someone else creates the Node object */
  readonly registerNode: boolean
  /** the node's addresses, the primary one first */
  readonly nodeIps: readonly string[]
  /** on disk: pods' volumes, logs, records, leases */
  readonly rootDir: string
  /** on a tmpfs of this mount namespace */
  readonly runDir: string
  /** imported images */
  readonly imageDir: string | undefined
  /** folders of this machine that no pod shall see */
  readonly secretDirs: readonly string[]
  /** PEM texts; without them the agent makes its own certificate */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** where the cluster gives the agent a certificate to serve with: asks for it, once it knows the node */
  readonly requestTls?: ((signal: AbortSignal) => Promise<{ readonly cert: string; readonly key: string }>) | undefined
  /** authority of client certificates, PEM; without it nobody is let in on port 10250 */
  readonly clientCa?: string | undefined
  /** where the agent's API is served; host 0.0.0.0 means the node's address */
  readonly api: Address
  readonly healthz: Address | undefined
  readonly clusterDns: readonly string[]
  readonly clusterDomain: string
  readonly resolvConf: string
  readonly hairpinMode: HairpinMode
  /** flannel's subnet.env, which the network of pods waits for; undefined: pods' packets are as long as the node's */
  readonly subnetFile: string | undefined
  /** the other parts of this node, shown as mirror pods */
  readonly parts: readonly NodePart[]
  /** called once the API server knows how this node and its pods are */
  readonly onReported?: () => void
}
