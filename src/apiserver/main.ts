// effect: HTTPS server, store file
// The API server as a part: store, engine and door put together, and what it keeps right while it runs.

import { randomInt, randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serviceAccounts } from '#api/core.ts'
import type { Resource } from '#api/resource.ts'
import { listenError } from '#daemon/health.ts'
import { UserError } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { hostAt, parseCidr } from '#lib/cidr.ts'
import { parseRequest } from '#pki/certificate-request.ts'
import { accessOf } from '#apiserver/access.ts'
import { bootstrapTokenVerifier } from '#apiserver/auth/bootstrap-token.ts'
import { tokenSubresource } from '#apiserver/auth/token-request.ts'
import { tokenVerifierOf } from '#apiserver/auth/verify-token.ts'
import { createTokenSigner } from '#pki/jwt.ts'
import { portClaimsOn } from '#apiserver/allocate/port-claims.ts'
import { startAllocation } from '#apiserver/allocate/start.ts'
import { serveDefinitions } from '#apiserver/custom/serve-definitions.ts'
import { bootstrap, keepItself, type Itself } from '#apiserver/bootstrap.ts'
import { isOpenPath } from '#apiserver/documents/health.ts'
import { isServed } from '#apiserver/documents/discovered.ts'
import { isReview } from '#apiserver/documents/reviews.ts'
import { extraOf } from '#apiserver/documents/extra.ts'
import { Engine, type World } from '#apiserver/engine/engine.ts'
import { objectsOf } from '#apiserver/engine/objects.ts'
import type { VerifyToken } from '#apiserver/http/authenticate.ts'
import { countObjects, requestMetrics } from '#apiserver/http/metrics.ts'
import type { AgentTrust } from '#apiserver/http/backend.ts'
import type { Dial } from '#apiserver/http/inner-door.ts'
import { createDoor } from '#apiserver/http/server.ts'
import type { Kind } from '#apiserver/kind.ts'
import { kinds } from '#apiserver/kinds.ts'
import { announce, withdraw } from '#apiserver/peers.ts'
import { compactRegularly } from '#apiserver/store/compaction.ts'
import { openStore, type StoreOptions } from '#apiserver/store/open-store.ts'

export type TokenOptions = {
  /** PEM: tokens signed by any of them count */
  readonly keys: readonly string[]
  /** PEM: signs new ones */
  readonly signingKey?: string | undefined
  readonly issuer: string
}

export type ApiserverOptions = {
  readonly bindAddress: string
  /** 0 takes a free one */
  readonly securePort: number
  /** how the cluster reaches this server */
  readonly advertiseAddress: string
  readonly serviceClusterIpRanges: readonly string[]
  readonly serviceNodePortRange: string
  /** PEM texts */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | undefined }
  readonly agentTrust: AgentTrust
  readonly store: StoreOptions
  /** for service accounts' tokens; absent: none are taken */
  readonly tokens?: TokenOptions | undefined
  /** told once, when requests are answered */
  onReady?(at: Serving): void
}

/** How the server is reached: by this port, or from within the process. */
export type Serving = { readonly port: number; readonly dial: Dial }

const mendMs = 3000

const world = (now: () => number): World => ({
  nowMs: now,
  random: (below) => randomInt(below),
  uuid: () => randomUUID(),
})

/** Serves until the signal is aborted. Throws UserError where it cannot begin. */
export async function run(options: ApiserverOptions, context: PartContext): Promise<void> {
  const { clock, log, registry, signal } = context
  await using store = await openStore(options.store, context)
  // An SQLite file has one server, an etcd may have several.
  const isShared = options.store.kind === 'etcd'
  const portClaims = isShared ? portClaimsOn(store) : undefined
  const { tokens, serviceClusterIpRanges, serviceNodePortRange } = options
  const access = accessOf((request) => parseRequest(Buffer.from(request, 'base64').toString())?.subject.commonName)
  const engine = new Engine(
    store,
    world(() => clock.now()),
    objectsOf,
    (objects) => withTokens(kinds({ serviceClusterIpRanges, serviceNodePortRange, objects, portClaims }), tokens),
    access.guardOf,
  )
  let isBootstrapped = false
  const begun = Promise.withResolvers<void>()
  const checks = {
    store: () => store.trouble,
    'poststarthook/bootstrap': () => (isBootstrapped ? undefined : 'not finished'),
    shutdown: () => (signal.aborted ? 'process is shutting down' : undefined),
  }
  countObjects(registry, engine.served)
  const { authorizer } = access
  const trust = tokens && { ...tokens, audiences: [tokens.issuer] }
  const nowMs = () => clock.now()
  const verifyAccount = trust && tokenVerifierOf(trust, engine.objects, nowMs)
  const verifyBootstrap = bootstrapTokenVerifier(engine.objects, nowMs)
  const verifyToken: VerifyToken = async (token) => (await verifyAccount?.(token)) ?? verifyBootstrap(token)
  const { server, dial } = createDoor(
    {
      engine,
      authorizer,
      verifyToken,
      extra: extraOf({
        engine,
        reviews: { authorizer, verifyToken, nowMs },
        registry,
        checks,
        serverAddress: `${options.advertiseAddress}:${options.securePort}`,
        platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
        startedAt: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
      }),
      begun: begun.promise,
      isOpen: isOpenPath,
      trust: options.agentTrust,
      clock,
      log,
      metrics: requestMetrics(registry, (target) => isReview(target) || isServed(engine.served, target)),
      signal,
    },
    options.tls,
  )
  const report = (what: string) => (error: unknown) => log.warn(what, { error: String(error) })
  const [port] = await Promise.all([
    listen(server, options),
    access.follow(engine, report('could not mend the aggregated roles')),
    serveDefinitions(engine, report('could not serve a custom resource')),
  ])
  const alone = itselfOf(options, port)
  const { advertiseAddress } = options
  const itself = async () => (isShared ? { ...alone, addresses: await announce(store, advertiseAddress, port) } : alone)
  const serves = ({ group, version, plural }: Resource) => engine.served.find(group, version, plural) !== undefined
  await startAllocation(engine.objects, options.serviceClusterIpRanges, clock.now())
  await bootstrap(engine.objects, await itself(), serves)
  isBootstrapped = true
  begun.resolve()
  log.info('Serving securely', { address: `${options.bindAddress}:${port}` })
  options.onReady?.({ port, dial })
  const stopCompaction = compactRegularly(store, clock, log)
  await keepRight(engine, itself, context)
  stopCompaction()
  if (isShared) await leave(engine, alone, await withdraw(store, advertiseAddress, port).catch(() => []))
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    closeAll(server)
  })
}

/** Service accounts give tokens where there is a key to sign them with. */
function withTokens(all: readonly Kind[], tokens: TokenOptions | undefined): readonly Kind[] {
  if (tokens?.signingKey === undefined) return all
  const { issuer, signingKey } = tokens
  const sign = createTokenSigner(signingKey)
  const token = tokenSubresource({ issuer, audiences: [issuer], uuid: () => randomUUID(), sign })
  return all.map((kind) =>
    kind.resource.plural === serviceAccounts.plural && kind.resource.group === ''
      ? { ...kind, subresources: { ...kind.subresources, token } }
      : kind,
  )
}

type Server = ReturnType<typeof createDoor>['server']

function listen(server: Server, { bindAddress, securePort }: ApiserverOptions): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  connections.set(server, sockets)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(error, { address: bindAddress, port: securePort })),
    )
    server.listen(securePort, bindAddress, () => resolve((server.address() as AddressInfo).port))
  })
}

/** An HTTP/2 server does not end its sessions by itself. */
const connections = new WeakMap<Server, Set<{ destroy(): void }>>()
function closeAll(server: Server): void {
  for (const socket of connections.get(server) ?? []) socket.destroy()
}

function itselfOf({ serviceClusterIpRanges, advertiseAddress }: ApiserverOptions, port: number): Itself {
  const cidr = parseCidr(serviceClusterIpRanges[0] ?? '')
  if (cidr === undefined) throw new UserError(`not a CIDR: ${serviceClusterIpRanges[0]}`, { code: 'BadCidr' })
  return { addresses: [advertiseAddress], port, clusterIp: hostAt(cidr, 1) }
}

/** Until the signal: looks now and then whether the server's own objects are as they should be. */
async function keepRight(
  engine: Engine,
  itself: () => Promise<Itself>,
  { clock, log, signal }: PartContext,
): Promise<void> {
  const mend = async () => keepItself(engine.objects, await itself())
  while (!signal.aborted) {
    await clock.sleep(mendMs, signal)
    if (signal.aborted) return
    await mend().catch((error: unknown) => log.warn('could not mend the Service kubernetes', { error: String(error) }))
  }
}

/** The endpoints of the Service kubernetes are the other servers from here on. Where that fails, they will see to it. */
async function leave(engine: Engine, itself: Itself, others: readonly string[]): Promise<void> {
  if (others.length > 0) await keepItself(engine.objects, { ...itself, addresses: others }).catch(() => {})
}
