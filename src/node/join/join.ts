// effect: files of certificates and a kubeconfig
// How a machine becomes a node of a cluster of which it knows an address and a bootstrap token. What it was given lies in
// --root-dir; with it the machine comes back without a token.
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join as joinPath } from 'node:path'
import { signers } from '#api/certificates.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig, type ClientConfig } from '#client/kubeconfig.ts'
import { renderKubeconfig } from '#client/render-kubeconfig.ts'
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { discoverCa, parseToken } from '#node/join/discover.ts'
import { leastLife, lifeOf } from '#node/join/life.ts'
import { requestCertificate } from '#node/join/request-certificate.ts'
import type { KeyPair } from '#pki/certificate.ts'

export type JoinOptions = {
  readonly server: string
  /** not needed once this machine has joined */
  readonly token: string | undefined
  /** `sha256:HEX` */
  readonly caHash: string | undefined
  readonly nodeName: string
  readonly rootDir: string
}
type Context = { readonly signal: AbortSignal; readonly log: Logger; readonly nowMs: number }

export const kubeconfigIn = (rootDir: string): string => joinPath(rootDir, 'kubeconfig')

/** Answers the path of this node's kubeconfig. Throws UserError. */
export async function join(options: JoinOptions, context: Context): Promise<string> {
  const { server, token, caHash, nodeName, rootDir } = options
  const path = kubeconfigIn(rootDir)
  const ask = (config: ClientConfig) => requestClient(config, nodeName, context)
  const known = existsSync(path) ? loadKubeconfig(path) : undefined
  const left = known?.cert === undefined ? 0 : lifeLeft(known.cert, context.nowMs)
  if (known !== undefined && left > 0) {
    checkIdentity(known, `system:node:${nodeName}`, path)
    if (left > leastLife && known.server === server) return path
    const pair = left > leastLife ? { cert: known.cert!, key: known.key! } : await ask({ ...known, server })
    return saveIdentity(path, { server, ca: known.ca ?? '', nodeName, ...pair })
  }
  if (token === undefined)
    throw new UserError('--token is missing: this machine has not joined the cluster yet', {
      code: 'MissingFlag',
      exitCode: 2,
      remedy: 'fairway token create makes one, where the cluster can be reached as its administrator',
    })
  const parsed = parseToken(token)
  const ca = await discoverCa(server, parsed, caHash)
  context.log.info('Found the cluster', { server })
  const pair = await ask({ server, ca, token: `${parsed.id}.${parsed.secret}` })
  return saveIdentity(path, { server, ca, nodeName, ...pair })
}

/** What the node shows to the API server. */
export function requestClient(
  config: ClientConfig,
  nodeName: string,
  context: Pick<Context, 'signal' | 'log'>,
): Promise<KeyPair> {
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }
  const wish = { signerName: signers.node, usage: 'client auth' as const, ...subject }
  return withClient(config, (client) => requestCertificate(client, wish, context))
}

/** What the agent serves with: a certificate for the addresses that the cluster knows this node by. */
export function requestServing(
  client: Client,
  nodeName: string,
  ips: readonly string[],
  context: Pick<Context, 'signal' | 'log'>,
): Promise<KeyPair> {
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }
  const wish = { signerName: signers.nodeServing, usage: 'server auth' as const, ...subject, dnsNames: [nodeName], ips }
  return requestCertificate(client, wish, context)
}

async function withClient<T>(config: ClientConfig, act: (client: Client) => Promise<T>): Promise<T> {
  const client = connect(config)
  try {
    return await act(client)
  } finally {
    client.close()
  }
}

type Credentials = KeyPair & { readonly server: string; readonly ca: string; readonly nodeName: string }

/** Answers the path. */
export function saveIdentity(path: string, { server, ca, nodeName, cert, key }: Credentials): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const text = renderKubeconfig({ name: 'cluster', user: `system:node:${nodeName}`, server, ca, cert, key })
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
  return path
}

/** 1 at the beginning, 0 at the end. */
function lifeLeft(cert: string, nowMs: number): number {
  const { endMs, lengthMs } = lifeOf(cert)
  return (endMs - nowMs) / lengthMs
}

function checkIdentity({ cert }: ClientConfig, commonName: string, path: string): void {
  const { subject } = new X509Certificate(cert!)
  if (subject.split('\n').includes(`CN=${commonName}`)) return
  throw new UserError(`this machine has joined as another node: ${path} is of ${subject.replaceAll('\n', ', ')}`, {
    code: 'OtherNode',
    remedy: 'take that --node-name, another --root-dir, or let it leave first: fairway node leave',
  })
}
