// effect: connections to nodes
// How to reach whoever answers in the server's place: a node's agent, a port of a node, or a port of a pod, to which only
// the agent of its node has a way.

import type { ClientRequest, RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { request as httpRequest } from '#daemon/http.ts'
import { type Node, nodes } from '#api/core.ts'
import { badRequest, failure, notFound, serviceUnavailable, StatusError } from '#api/status.ts'
import type { Backend, Objects } from '#apiserver/kind.ts'

/** What the server shows to agents, and how it knows them. Certificates and keys are PEM texts. */
export type AgentTrust = {
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** absent: any certificate will do, as is the default upstream */
  readonly ca?: string | undefined
}

export type Destination = {
  /** the host and the port, as messages name them */
  readonly authority: string
  readonly isSecure: boolean
  readonly options: RequestOptions
}

export function ask({ isSecure, options }: Destination, request: RequestOptions): ClientRequest {
  return (isSecure ? httpsRequest : httpRequest)({ ...options, ...request })
}

/** Throws StatusError where there is no way. */
export async function destinationOf(objects: Objects, trust: AgentTrust, backend: Backend): Promise<Destination> {
  const { kind, node } = backend
  if (kind === 'pod' && node === '')
    throw new StatusError(badRequest(`pod ${backend.pod} does not have a host assigned`))
  const agent = agentOf(await objects.get(nodes, '', node), node)
  const { host } = agent
  switch (kind) {
    case 'agent': {
      const { cert, key, ca } = trust
      const options = { ...agent, cert, key, ca, rejectUnauthorized: ca !== undefined, agent: false } as RequestOptions
      return { authority: formatAuthority(agent), isSecure: true, options }
    }
    case 'node': {
      const { port, scheme } = backend
      const options = { host, port, rejectUnauthorized: false, agent: false } as RequestOptions
      return { authority: formatAuthority({ host, port }), isSecure: scheme === 'https', options }
    }
    case 'pod': {
      const { dialPod } = await import('#apiserver/http/dial-pod.ts')
      const plain = await dialPod(agent, trust, backend).catch((error: unknown) => {
        throw new StatusError(serviceUnavailable(`error trying to reach service: ${(error as Error).message}`))
      })
      // As upstream: whose certificate a pod shows is not asked.
      const stream = backend.scheme === 'https' ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain
      return {
        authority: `${backend.pod}:${backend.port}`,
        isSecure: false,
        options: { createConnection: () => stream },
      }
    }
  }
}

export type AgentAddress = { readonly host: string; readonly port: number }

/** Where the agent of a node listens. Throws StatusError where the node does not say. */
function agentOf(node: Node | undefined, name: string): AgentAddress {
  if (node === undefined) throw new StatusError(notFound(nodes, name))
  const addresses = node.status?.addresses ?? []
  for (const type of ['InternalIP', 'ExternalDNS', 'ExternalIP']) {
    const host = addresses.find((address) => address.type === type)?.address
    if (host) return { host, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250 }
  }
  throw new StatusError(failure(500, '', 'no preferred addresses found; known addresses: []'))
}

export const formatAuthority = ({ host, port }: AgentAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
