// From what an Ingress names to the endpoints behind it.

import type { Service, ServicePort } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { IngressBackend } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import { type Settings, settingsKey } from '#ingress/annotations/settings.ts'
import type { Problem } from '#ingress/compile.ts'
import type { BackendKey, Endpoint, Protocol } from '#ingress/route.ts'

type PortReference = NonNullable<NonNullable<IngressBackend['service']>['port']>

/** Where the endpoints of a back end come from, and what becomes of its requests. */
export type BackendSource = {
  readonly key: BackendKey
  readonly settings: Settings
  /** `NAMESPACE/NAME` */
  readonly service: string
  readonly protocol: Protocol
} & (
  | { readonly kind: 'slices'; readonly portName: string | undefined }
  | { readonly kind: 'external'; readonly name: string; readonly port: number }
  | { readonly kind: 'none' }
)

const none: BackendSource = { kind: 'none', key: 'none', settings: {}, service: '', protocol: 'http' }

/** The same under settings. Without a source there is a back end only where settings answer by themselves. */
export function withSettings(source: BackendSource | undefined, settings: Settings): BackendSource | undefined {
  const key = settingsKey(settings)
  const answers = settings.sslRedirect !== undefined || settings.redirect !== undefined
  if (key === '' || (source === undefined && !answers)) return source
  const own = source ?? none
  return { ...own, settings, key: `${own.key} ${key}` }
}

/** The source of what a rule names, or what is wrong with it. `service` may be undefined: there is none. */
export function resolve(
  serviceKey: string,
  service: Stored<Service> | undefined,
  reference: PortReference,
  wanted: Protocol | undefined,
): BackendSource | Problem {
  if (service === undefined) return { reason: 'NoService', message: `Service ${serviceKey} does not exist` }
  const port = findPort(service, reference)
  const protocol = wanted ?? (port === undefined ? 'http' : protocolOf(port))
  if (service.spec.type === 'ExternalName') {
    // Its ports are a matter of whoever has the name: a number counts whether or not it is listed.
    const number = port?.port ?? reference.number
    const name = service.spec.externalName
    if (number !== undefined && name)
      return {
        kind: 'external',
        key: `${serviceKey}/${number}/${protocol}`,
        settings: {},
        service: serviceKey,
        protocol,
        name,
        port: number,
      }
  }
  if (port === undefined)
    return {
      reason: 'NoServicePort',
      message: `Service ${serviceKey} has no port ${reference.name || reference.number}`,
    }
  const key = `${serviceKey}/${port.port}/${protocol}`
  return { kind: 'slices', key, settings: {}, service: serviceKey, protocol, portName: port.name }
}

function findPort(service: Stored<Service>, { name, number }: PortReference): ServicePort | undefined {
  return service.spec.ports?.find((port) => (name ? port.name === name : port.port === number))
}

/** As Kubernetes names protocols in appProtocol; whatever it does not know is plain HTTP. */
function protocolOf({ appProtocol }: ServicePort): Protocol {
  return appProtocol === 'kubernetes.io/h2c' || appProtocol === 'grpc' ? 'h2c' : 'http'
}

/** The ready endpoints of a Service's port; where none is ready, those that still serve while they end. */
export function endpointsOf(slices: readonly Stored<EndpointSlice>[], portName: string | undefined): Endpoint[] {
  const ready = new Map<string, Endpoint>()
  const ending = new Map<string, Endpoint>()
  for (const { ports = [], endpoints = [] } of slices) {
    const port = ports.find(({ name }) => (name ?? '') === (portName ?? ''))?.port
    if (port === undefined) continue
    for (const { addresses, conditions } of endpoints) {
      const [address] = addresses
      if (address === undefined) continue
      const into =
        conditions?.ready !== false ? ready : conditions.serving && conditions.terminating ? ending : undefined
      into?.set(`${address} ${port}`, { address, port })
    }
  }
  return [...(ready.size > 0 ? ready : ending).values()]
}
