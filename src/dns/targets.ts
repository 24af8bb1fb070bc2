// Where the names of a Service lead: addresses, each under a host name, by port.

import type { ServiceName } from '#dns/question.ts'
import type { EndpointView, ServiceView } from '#dns/state.ts'
import type { Zone, ZoneOptions } from '#dns/zone.ts'

/** One address under a name, for one port: what an SRV record says, and an address record leaves out. */
export type Target = { readonly address: string; readonly host: string; readonly port: number | undefined }

/** The addresses of a Service with cluster IPs, one of each for each port that is asked for; undefined where there is none. */
export function virtualTargets(options: ZoneOptions, service: ServiceView, asked: ServiceName): Target[] | undefined {
  const ports = service.ports.filter((port) => asksFor(asked, port.name, port.protocol))
  if (ports.length === 0) return undefined
  const host = `${service.name}.${service.namespace}.svc.${options.domain}`
  return ports.flatMap((port) => service.clusterIps.map((address) => ({ address, host, port: port.port })))
}

/** The same of its endpoints. */
export function endpointTargets(
  zone: Zone,
  options: ZoneOptions,
  service: ServiceView,
  asked: ServiceName,
): Target[] | undefined {
  const targets: Target[] = []
  for (const slice of zone.slicesOf(`${service.namespace}/${service.name}`))
    for (const endpoint of slice.endpoints)
      for (const address of endpoint.addresses) {
        const host = endpointName(endpoint, address, options)
        if (asked.kind === 'endpoint' && asked.endpoint !== host) continue
        for (const port of slice.ports)
          if (asksFor(asked, port.name, port.protocol))
            targets.push({
              address,
              host: `${host}.${service.name}.${service.namespace}.svc.${options.domain}`,
              port: port.port,
            })
      }
  return targets.length === 0 ? undefined : targets
}

const asksFor = (asked: ServiceName, port: string, protocol: string) =>
  asked.kind !== 'port' ||
  ((asked.port === '' || asked.port === port) && (asked.protocol === '' || asked.protocol === protocol))

/** The label of an endpoint below its Service's name: its hostname, else its pod if so asked, else its address dashed. */
export function endpointName(
  endpoint: EndpointView,
  address: string,
  options: Pick<ZoneOptions, 'endpointPodNames'>,
): string {
  if (endpoint.hostname) return endpoint.hostname
  if (options.endpointPodNames && endpoint.pod) return endpoint.pod
  const dashed = address.replaceAll(/[.:]/g, '-')
  return dashed.endsWith('-') ? `${dashed}0` : dashed
}
