// effect: requests to the API server
import { configMaps, endpoints, secrets, type ConfigMap, type Endpoints, type Secret } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import { isAlreadyExists, type Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import type { Controller } from '#controllers/controller.ts'
import { planSignatures, renderClusterInfo } from '#controllers/bootstrap-signer/plan.ts'
import { endOf } from '#controllers/token-cleaner/plan.ts'

const [namespace, name] = ['kube-public', 'cluster-info']

/** Signs cluster-info for every bootstrap token, and makes it where nobody has. */
export const bootstrapSigner: Controller = {
  name: 'bootstrap-signer-controller',
  alias: 'bootstrapsigner',
  async start({ client, caches, settings, signal, log, clock, queue: createQueue }) {
    const { rootCa } = settings
    if (rootCa === undefined) return
    const servers = caches.of(endpoints)
    const tokens = informer(client, secrets, {
      namespace: 'kube-system',
      fieldSelector: 'type=bootstrap.kubernetes.io/token',
      signal,
      log,
      onChange: () => queue.mark(name),
    })
    const map = informer(client, configMaps, {
      namespace,
      fieldSelector: `metadata.name=${name}`,
      signal,
      log,
      onChange: () => queue.mark(name),
    })
    const queue = createQueue('bootstrap_signer', 1, async () => {
      const all = [...tokens.values()] as Stored<Secret>[]
      const stored = map.get(`${namespace}/${name}`) as Stored<ConfigMap> | undefined
      // Nothing to say before somebody may join.
      if (stored === undefined)
        return all.length === 0 ? undefined : create(client, serverOf(servers.get('default/kubernetes')), rootCa)
      const wanted = planSignatures(stored, all, clock.now())
      if (wanted !== undefined) await client.update(configMaps, wanted, { namespace, signal })
      const next = Math.min(...all.map(endOf).filter((end) => end > clock.now()))
      if (Number.isFinite(next)) queue.mark(name, Math.max(0, next - clock.now()))
    })
    await Promise.all([tokens.synced, map.synced, caches.synced()])
    queue.mark(name)
    await queue.run(signal)
  },
}

async function create(client: Client, server: string, rootCa: string): Promise<void> {
  const object = { metadata: { name, namespace }, data: { kubeconfig: renderClusterInfo(server, rootCa) } }
  await client.create(configMaps, object, { namespace }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error
  })
}

/** Where the server says that it is; a machine that joins was told the address that it uses anyway. */
function serverOf(servers: Endpoints | undefined): string {
  const [first] = servers?.subsets ?? []
  const [ip, port] = [first?.addresses?.[0]?.ip, first?.ports?.[0]?.port]
  if (ip === undefined || port === undefined) return 'https://kubernetes.default.svc'
  return `https://${ip.includes(':') ? `[${ip}]` : ip}:${port}`
}
