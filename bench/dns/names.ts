// The names that every server of the benchmark answers: Services with a cluster IP, a named port and one endpoint each,
// and one headless Service of 100 endpoints. As objects of an API server, and as a zone file.

const headlessEndpoints = 100
const zone = 'cluster.local'

/** The cluster IP of the `i`th Service. */
export const addressOf = (i: number): string => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
/** The address of its endpoint; Service 0 gets another one when the benchmark changes it. */
export const endpointOf = (i: number): string => `10.${160 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
const memberOf = (i: number): string => `10.250.0.${i + 1}`

export type Collections = Readonly<Record<string, readonly object[]>>

/** What an API server lists. */
export function objectsOf(names: number): Collections {
  const each = Array.from({ length: names }, (_, i) => i)
  const meta = (name: string, more = {}) => ({ name, namespace: 'default', resourceVersion: '1', uid: name, ...more })
  const service = (name: string, clusterIP: string) => ({
    metadata: meta(name),
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  })
  return {
    namespaces: [{ metadata: { name: 'default', resourceVersion: '1', uid: 'default' } }],
    services: [...each.map((i) => service(`svc-${i}`, addressOf(i))), service('big', 'None')],
    endpointslices: [
      ...each.map((i) => sliceOf(`svc-${i}`, [endpointOf(i)])),
      sliceOf(
        'big',
        Array.from({ length: headlessEndpoints }, (_, i) => memberOf(i)),
      ),
    ],
  }
}

export const sliceOf = (service: string, addresses: readonly string[], resourceVersion = '1') => ({
  metadata: {
    name: `${service}-1`,
    namespace: 'default',
    uid: `${service}-1`,
    resourceVersion,
    labels: { 'kubernetes.io/service-name': service },
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
})

/** The same names as a zone file. */
export function renderZone(names: number): string {
  const services = Array.from({ length: names }, (_, i) => {
    const name = `svc-${i}.default.svc`
    return `${name} 30 IN A ${addressOf(i)}\n_http._tcp.${name} 30 IN SRV 0 100 80 ${name}\n`
  })
  const big = Array.from({ length: headlessEndpoints }, (_, i) => `big.default.svc 30 IN A ${memberOf(i)}\n`)
  const head = `$ORIGIN ${zone}.\n@ 30 IN SOA ns.dns hostmaster 1 7200 1800 86400 30\n@ 30 IN NS ns.dns\nns.dns 30 IN A 10.96.0.10\n`
  return head + services.join('') + big.join('')
}

export type Workload = 'hits' | 'search' | 'headless' | 'srv' | 'cached'

/** Queries for dnsperf, in an order that says nothing. */
export function renderQueries(workload: Workload, names: number): string {
  const order = Array.from({ length: names }, (_, i) => (i * 7919) % names)
  const few = Array.from({ length: 1000 }, (_, i) => `www-${i}.example.test`)
  switch (workload) {
    case 'hits':
      return order.map((i) => `svc-${i}.default.svc.${zone} A\n`).join('')
    case 'srv':
      return order.map((i) => `_http._tcp.svc-${i}.default.svc.${zone} SRV\n`).join('')
    case 'headless':
      return `big.default.svc.${zone} A\n`
    // What a resolver with ndots:5 asks before it asks for the name itself.
    case 'search':
      return few.map((name) => [`default.svc.`, `svc.`, ``].map((in_) => `${name}.${in_}${zone} A\n`).join('')).join('')
    case 'cached':
      return few.map((name) => `${name} A\n`).join('')
  }
}
