// effect: a watch of Services
// The Services as containers' environment knows them.
import { services } from '#api/core.ts'
import type { Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import type { Logger } from '#daemon/log.ts'
import { serviceEnvironment, type ServiceEnvView } from '#node/pod/service-env.ts'

export type ServiceCache = {
  readonly synced: Promise<void>
  env(namespace: string, links: boolean): ReadonlyMap<string, string>
}

export function watchServices(client: Client, o: { readonly signal: AbortSignal; readonly log: Logger }): ServiceCache {
  const cache = informer(client, services, {
    ...o,
    slim: ({ metadata, spec }): ServiceEnvView => ({
      namespace: metadata?.namespace ?? '',
      name: metadata?.name ?? '',
      clusterIp: spec?.clusterIP ?? '',
      ports: (spec?.ports ?? []).map(({ name = '', protocol = 'TCP', port }) => ({ name, protocol, port })),
    }),
  })
  return { synced: cache.synced, env: (namespace, links) => serviceEnvironment(cache.values(), namespace, links) }
}
