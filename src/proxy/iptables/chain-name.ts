// The names that kube-proxy gives to chains, so that everyone's habits and tools of looking at rules work here too: a
// prefix and the first 16 letters of a hash, since a chain's name has at most 28.
import { encodeBase32 } from '#lib/base32.ts'
import { sha256 } from '#lib/hash.ts'
import type { Protocol } from '#proxy/state.ts'

/** The chains of one port of a Service; `port` is `namespace/name:port`. */
export function chainNames(port: string, protocol: Protocol): ChainNames {
  const hash = hashOf(port + protocol)
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  }
}
export type ChainNames = {
  /** to the endpoints of policy Cluster */
  readonly cluster: string
  /** to those of policy Local */
  readonly local: string
  /** what comes to an external address */
  readonly external: string
  /** source ranges of a load balancer */
  readonly firewall: string
}

/** The chain of one endpoint of a port; `endpoint` is `ip:port`. */
export const endpointChain = (port: string, protocol: Protocol, endpoint: string): string =>
  `KUBE-SEP-${hashOf(port + protocol + endpoint)}`

/** Whether a chain belongs to some Service, ours or one that is gone. */
export const isServiceChain = (chain: string): boolean => /^KUBE-(?:SVC|SVL|EXT|FW|SEP)-/.test(chain)

/** Ten bytes are 16 letters of base 32. */
const hashOf = (text: string) => encodeBase32(sha256(text).subarray(0, 10))
