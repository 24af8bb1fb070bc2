/** The cluster IP of the `i`th Service of the benchmark. */
export const addressOf = (i: number): string => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`

/** The same names as a zone file, for servers that take one. */
export function renderZone(names: number): string {
  const records = Array.from({ length: names }, (_, i) => `svc-${i}.default.svc 30 IN A ${addressOf(i)}\n`)
  return `$ORIGIN cluster.local.\n@ 30 IN SOA ns.dns hostmaster 1 7200 1800 86400 30\n@ 30 IN NS ns.dns\nns.dns 30 IN A 10.96.0.10\n${records.join('')}`
}

/** Queries for dnsperf, in an order that says nothing. */
export function renderQueries(names: number): string {
  const order = Array.from({ length: names }, (_, i) => (i * 7919) % names)
  return order.map((i) => `svc-${i}.default.svc.cluster.local A\n`).join('')
}
