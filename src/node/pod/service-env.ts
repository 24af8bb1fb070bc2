// The environment variables by which a container knows the Services of its namespace (and always default/kubernetes):
// Kubernetes' own form and the one of Docker's links.

export type ServiceEnvView = {
  readonly namespace: string
  readonly name: string
  /** '' or 'None' for Services without a virtual address, which have no variables */
  readonly clusterIp: string
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
}

/** The variables that a pod of `namespace` gets; with `links` off, only those of default/kubernetes. */
export function serviceEnvironment(
  services: Iterable<ServiceEnvView>,
  namespace: string,
  links: boolean,
): Map<string, string> {
  const seen = new Map<string, ServiceEnvView>()
  for (const service of services) {
    if (service.clusterIp === '' || service.clusterIp === 'None' || service.ports.length === 0) continue
    const isMaster = service.namespace === 'default' && service.name === 'kubernetes'
    if (isMaster && !seen.has(service.name)) seen.set(service.name, service)
    else if (!isMaster && service.namespace === namespace && links) seen.set(service.name, service)
  }
  return new Map([...seen.values()].flatMap(variablesOf))
}

const upper = (name: string) => name.replaceAll('-', '_').toUpperCase()

function variablesOf({ name, clusterIp, ports }: ServiceEnvView): [string, string][] {
  const prefix = upper(name)
  const first = ports[0]!
  const host = clusterIp.includes(':') ? `[${clusterIp}]` : clusterIp
  const urlOf = (port: typeof first) => `${port.protocol.toLowerCase()}://${host}:${port.port}`
  return [
    [`${prefix}_SERVICE_HOST`, clusterIp],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports
      .filter((port) => port.name !== '')
      .map((port): [string, string] => [`${prefix}_SERVICE_PORT_${upper(port.name)}`, String(port.port)]),
    [`${prefix}_PORT`, urlOf(first)],
    ...ports.flatMap((port): [string, string][] => {
      const link = `${prefix}_PORT_${port.port}_${port.protocol.toUpperCase()}`
      return [
        [link, urlOf(port)],
        [`${link}_PROTO`, port.protocol.toLowerCase()],
        [`${link}_PORT`, String(port.port)],
        [`${link}_ADDR`, clusterIp],
      ]
    }),
  ]
}
