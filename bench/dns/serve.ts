// The DNS server's serving part as a process of its own, with Services that no API server has to hold:
//   serve.ts PORT NAMES THREADS
import { createResolver } from '#dns/resolver.ts'
import { serveBatches } from '#dns/serve/batch.ts'
import { createResponder } from '#dns/serve/responder.ts'
import { serveUdp } from '#dns/serve/udp.ts'
import { Zone, type ZoneChange } from '#dns/zone.ts'
import { addressOf } from './names.ts'

const [port, names, threads] = process.argv.slice(2).map(Number) as [number, number, number]
const config = {
  zones: [''],
  port,
  bind: [],
  errors: true,
  log: [],
  forward: [],
  loop: false,
  loadbalance: true,
  rewrite: [],
}
const options = {
  domain: 'cluster.local',
  reverseZones: [],
  ttl: 30,
  pods: 'insecure' as const,
  namespaces: [],
  endpointPodNames: false,
  ignoreEmptyServices: false,
  fallthrough: [],
  localIps: [],
}
const changes: ZoneChange[] = [{ kind: 'namespace', key: 'default', value: 'default' }]
for (let i = 0; i < names; i++) {
  const ports = [{ name: 'http', protocol: 'tcp', port: 80 }]
  const value = { namespace: 'default', name: `svc-${i}`, kind: 'virtual' as const, clusterIps: [addressOf(i)], ports }
  changes.push({ kind: 'service', key: `default/svc-${i}`, value })
}

const zone = new Zone()
zone.synced = true
for (const change of changes) zone.apply(change)
const responder = createResponder(createResolver([{ config, kubernetes: { zone, options }, forwards: [] }]))
if (threads === 0) serveUdp(responder, { address: '127.0.0.1', port, signal: new AbortController().signal })
else {
  const batches = await serveBatches(responder, { address: '127.0.0.1', port, threads, servers: [{ config, options }] })
  batches.change(changes, zone)
}
