// effect: HTTPS requests
// What a machine finds out about a cluster that it knows the address of and a bootstrap token for: its authority, believed
// because it is signed with the token (kubeadm's discovery).
import { createHash, X509Certificate } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { configMaps, type ConfigMap } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { parseKubeconfigCa } from '#client/parse-kubeconfig.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { isSignedBy } from '#pki/detached-jws.ts'

export type Token = { readonly id: string; readonly secret: string }

/** `0a1b2c.0123456789abcdef`. Throws UserError. */
export function parseToken(text: string): Token {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text.trim()) ?? []
  if (id !== undefined && secret !== undefined) return { id, secret }
  throw new UserError('--token: a bootstrap token has six characters, a dot and sixteen more', {
    code: 'BadFlag',
    exitCode: 2,
    remedy: 'fairway token create makes one',
  })
}

/** `caHash`: `sha256:HEX` of the authority's public key. Answers the authority as PEM. Throws UserError. */
export async function discoverCa(server: string, { id, secret }: Token, caHash: string | undefined): Promise<string> {
  const map = await readClusterInfo(server)
  const content = map.data?.['kubeconfig'] ?? ''
  const signature = map.data?.[`jws-kubeconfig-${id}`]
  const refuse = (why: string) =>
    new UserError(`${server}: ${why}`, {
      code: 'NotTrusted',
      remedy: 'is the token of this cluster, and still valid? fairway token create makes a new one',
    })
  if (signature === undefined) throw refuse(`the cluster knows no token ${id}`)
  if (!isSignedBy(signature, content, id, secret)) throw refuse('what it says of itself is not signed with this token')
  const ca = parseKubeconfigCa(content)
  if (ca === undefined) throw refuse('what it says of itself names no authority')
  if (caHash !== undefined && hashOf(ca) !== caHash.toLowerCase())
    throw refuse(`its authority is ${hashOf(ca)}, not ${caHash}`)
  return ca
}

/** As kubeadm prints it. */
export function hashOf(ca: string): string {
  const publicKey = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(publicKey).digest('hex')}`
}

/** Whoever answers is not trusted yet: nothing secret is sent. */
async function readClusterInfo(server: string): Promise<ConfigMap> {
  const client = connect({ server, insecure: true })
  try {
    return await client.get(configMaps, 'cluster-info', { namespace: 'kube-public' })
  } catch (error) {
    throw new UserError(`cannot ask ${server} about its cluster: ${messageOf(error)}`, {
      code: 'NoCluster',
      cause: error,
      remedy: 'is --server its URL, as https://HOST:6443, and is there a token? (fairway token create)',
    })
  } finally {
    client.close()
  }
}

/** The address by which this machine reaches the server: others will find it there. */
export function addressTowards(server: string): Promise<string> {
  const { hostname, port } = new URL(server)
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port || 443), timeout: 5000 })
    const fail = (why: string) => reject(new UserError(`cannot reach ${server}: ${why}`, { code: 'NoCluster' }))
    socket.on('connect', () => {
      resolve(socket.localAddress ?? '')
      socket.destroy()
    })
    socket.on('timeout', () => {
      fail('no answer within 5 seconds')
      socket.destroy()
    })
    socket.on('error', (error) => fail(error.message))
  })
}
