// From what an Ingress names to the endpoints behind it.

import type { Service, ServicePort } from '#api/core.ts'
import type { EndpointSlice } from '#api/discovery.ts'
import type { IngressBackend } from '#api/networking.ts'
import type { Stored } from '#api/stored.ts'
import type { Endpoint, Protocol } from '#ingress/route.ts'

type PortReference = NonNullable<NonNullable<IngressBackend['service']>['port']>

export function findPort(service: Stored<Service>, { name, number }: PortReference): ServicePort | undefined {
  return service.spec.ports?.find((port) => (name ? port.name === name : port.port === number))
}

/** As Kubernetes names protocols in appProtocol; whatever it does not know is plain HTTP. */
export function protocolOf({ appProtocol }: ServicePort): Protocol {
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
