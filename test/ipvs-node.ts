// A node for the whole proxy in IPVS mode: the test's own network namespace, in a kernel that has IPVS.
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { after, before } from 'node:test'
import { openRoute } from '#kernel/route/open-route.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import { FakeKubernetes, type FakeObject } from '#test/fake-kubernetes.ts'
import { need } from '#test/need.ts'
import { startProxy } from '#test/running-proxy.ts'
import { readObjects } from '#test/yaml-objects.ts'

export const skipWithoutIpvs = need({
  root: true,
  programs: ['iptables', 'ip6tables', 'ipvsadm', 'ipset', 'nft', 'ip'],
  files: ['/proc/sys/net/ipv4/vs'],
})

export const start = (fake: FakeKubernetes, changed: Partial<ProxyOptions> = {}) =>
  startProxy({ mode: 'ipvs', healthz: undefined, metrics: undefined, ...changed }, fake)
export const run = (...words: string[]) => execFileSync(words[0]!, words.slice(1), { encoding: 'utf8', stdio: 'pipe' })
export const listed = () => run('ipvsadm', '-ln')
export const saved = () => run('ipvsadm', '-Sn')
export const rules = () => run('iptables-save')
export const addresses = () => spawnSync('ip', ['-o', 'addr', 'show', 'kube-ipvs0'], { encoding: 'utf8' }).stdout

/** The node has its address on a link of its own; a pod of its is another address of the machine. */
export function makeNode(): void {
  before(() => {
    if (skipWithoutIpvs !== false) return
    using route = openRoute()
    route.addDummy({ name: 'eth0', up: true })
    for (const cidr of ['10.168.0.2/24', '10.244.0.9/32', 'fd00:168::2/64', 'fd00:244::9/128'])
      route.addAddress({ link: 'eth0', cidr })
    route.replaceRoute({ destination: '0.0.0.0/0', via: '10.168.0.1' })
    route.replaceRoute({ destination: '::/0', via: 'fd00:168::1' })
  })
  after(() => {
    if (skipWithoutIpvs !== false) return
    using route = openRoute()
    route.deleteLink('eth0')
  })
}

export async function seeds(): Promise<FakeKubernetes> {
  const fake = await FakeKubernetes.start()
  const { services, slices, nodes } = readObjects('src/proxy/testdata/seeds.yaml')
  for (const object of services) fake.put('services', object as FakeObject)
  for (const object of slices) fake.put('endpointslices', object as unknown as FakeObject)
  for (const object of nodes) fake.put('nodes', object as FakeObject)
  fake.put('services', {
    metadata: { namespace: 'demo', name: 'web' },
    spec: { clusterIP: '10.96.7.7', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  })
  fake.put('endpointslices', webSlice(['10.244.0.9']))
  return fake
}
export const webSlice = (ips: readonly string[], name = 'web-1') => ({
  metadata: { namespace: 'demo', name, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: ips.map((ip) => ({ addresses: [ip], nodeName: 'node-1', conditions: { ready: true } })),
})

/** A server on the pod's address that keeps its connections open; disposed, it ends them. */
export async function servePod(host = '10.244.0.9'): Promise<Disposable & { readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.write('pod\n')
    socket.on('data', (data) => socket.write(data))
  })
  server.listen(8080, host)
  await once(server, 'listening')
  return {
    sockets,
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

export async function connectTo(host: string, port: number): Promise<Socket> {
  const socket = connectTcp({ host, port })
  socket.on('error', () => undefined)
  const late = setTimeout(() => socket.destroy(new Error('no answer')), 5000)
  await once(socket, 'data')
  clearTimeout(late)
  return socket
}
