// Nodes with flannel and a pod on each, on one or two networks, with an API server that keeps only what it is told.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '#client/client.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { createNetns, deleteNetns, withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { run } from '#flannel/main.ts'
import { defaultBackend, type BackendConfig } from '#flannel/network-config.ts'
import { defaultOptions, type FlannelOptions } from '#flannel/options.ts'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { until } from '#test/until.ts'

export const annotation = (name: string) => `flannel.alpha.coreos.com/${name}`

const allNetworks = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/56' } as const
export type Families = readonly (4 | 6)[]

export type NodesOptions = {
  readonly count: number
  readonly families?: Families
  /** these nodes are on a second network, behind a router */
  readonly far?: readonly number[]
}
export type Nodes = Awaited<ReturnType<typeof makeNodes>>
export type Flannel = ReturnType<TestNode['start']>
export type TestNode = Nodes['nodes'][number]

/** of this process so far: their namespaces have different names */
let clusters = 0

export async function makeNodes({ count, families = [4], far = [] }: NodesOptions) {
  await using started = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'fairway-flannel-'))
  started.defer(() => rmSync(folder, { recursive: true }))
  const server = started.use(await FakeKubernetes.start())
  const cluster = ++clusters
  const pathOf = (name: string) => `/run/netns/flannel-${process.pid}-${cluster}-${name}`
  const make = (netns: string) => {
    createNetns(netns)
    started.defer(() => void deleteNetns(netns))
    // Addresses can be used at once.
    writeSysctls({ 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/all/accept_dad': 0 }, netns)
  }
  make(pathOf('lan'))
  writeSysctls({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }, pathOf('lan'))
  {
    using lan = openRoute(pathOf('lan'))
    for (const segment of [0, 1]) {
      lan.addBridge({ name: `br${segment}`, up: true })
      lan.addAddress({ link: `br${segment}`, cidr: `10.168.${segment}.1/24` })
      lan.addAddress({ link: `br${segment}`, cidr: `fd00:168:${segment}::1/64` })
    }
  }
  const nodes = Array.from({ length: count }, (_, i) => node(i + 1))

  function node(n: number) {
    const [name, netns, podNetns] = [`node-${n}`, pathOf(`node-${n}`), pathOf(`pod-${n}`)]
    const segment = far.includes(n) ? 1 : 0
    const subnets = { 4: `10.244.${n - 1}.0/24`, 6: `fd00:10:244:${n - 1}::/64` }
    const pod = { 4: `10.244.${n - 1}.2`, 6: `fd00:10:244:${n - 1}::2` }
    const ips = { 4: `10.168.${segment}.${n + 1}`, 6: `fd00:168:${segment}::${n + 1}` }
    make(netns)
    make(podNetns)
    using lan = openRoute(pathOf('lan'))
    lan.addVeth({ name, master: `br${segment}`, up: true, peer: { name: 'eth0', up: true }, peerNetns: netns })
    using route = openRoute(netns)
    route.setLink('lo', { up: true })
    route.addBridge({ name: 'cni0', up: true })
    for (const family of families) {
      route.addAddress({ link: 'eth0', cidr: `${ips[family]}/${family === 4 ? 24 : 64}` })
      route.replaceRoute({
        destination: 'default',
        via: family === 4 ? `10.168.${segment}.1` : `fd00:168:${segment}::1`,
      })
      route.addAddress({
        link: 'cni0',
        cidr: subnets[family].replace(/0\/|::\//, (end) => (end === '0/' ? '1/' : '::1/')),
      })
    }
    writeSysctls({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }, netns)
    server.put('nodes', { metadata: { name }, spec: { podCIDRs: families.map((family) => subnets[family]) } })
    const inside = (where: string, words: readonly string[]) =>
      withNetns(where, () => spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' }))
    const exec = (...words: string[]) => {
      const { status, stdout, stderr } = inside(netns, words)
      assert.equal(status, 0, `${words.join(' ')}: ${stderr}`)
      return stdout
    }
    const subnetFile = join(folder, name, 'subnet.env')
    return {
      name,
      netns,
      subnets,
      pod,
      podNetns,
      ips,
      /** what a program says; throws where it fails */
      exec,
      /** the same; nothing where it fails */
      show: (...words: string[]) => inside(netns, words).stdout,
      /** for files of its own */
      folder: join(folder, name),
      subnetFile: () => readFileSync(subnetFile, 'utf8'),
      start: (backend: Partial<BackendConfig>, more: Partial<FlannelOptions> = {}) =>
        start(name, netns, subnetFile, backend, more),
      /** A pod with room for what subnet.env says; the namespace is there before. */
      connectPod(mtu = Number(/FLANNEL_MTU=(\d+)/.exec(readFileSync(subnetFile, 'utf8'))![1])) {
        using route = openRoute(netns)
        if (route.link('veth0') !== undefined) route.deleteLink('veth0')
        route.addVeth({
          name: 'veth0',
          mtu,
          master: 'cni0',
          up: true,
          peer: { name: 'eth0', up: true },
          peerNetns: podNetns,
        })
        using own = openRoute(podNetns)
        own.setLink('lo', { up: true })
        for (const family of families) {
          own.addAddress({ link: 'eth0', cidr: `${pod[family]}/${family === 4 ? 24 : 64}` })
          const via = family === 4 ? `10.244.${n - 1}.1` : `fd00:10:244:${n - 1}::1`
          own.replaceRoute({ destination: 'default', via })
        }
      },
    }
  }

  function start(
    name: string,
    netns: string,
    subnetFile: string,
    backend: Partial<BackendConfig>,
    more: Partial<FlannelOptions>,
  ) {
    const controller = new AbortController()
    const client = connect({ server: server.url })
    const keeper = { kind: 'kubernetes', client } as const
    const lines: string[] = []
    const write = (line: string) => lines.push(line.slice(line.indexOf(']') + 2).trimEnd())
    const log = createLogger({ format: 'text', level: 0, write })
    const registry = createRegistry()
    const networks = Object.fromEntries(families.map((family) => [family, allNetworks[family]]))
    const config = { networks, backend: { ...defaultBackend, ...backend }, rules: 'iptables' as const }
    const own = { subnetFile, rulesResyncMs: 20, health: undefined, keeper, nodeName: name, config, netns, ...more }
    const done = run({ ...defaultOptions, ...own }, { signal: controller.signal, log, clock: systemClock, registry })
    const stop = async () => {
      controller.abort()
      await done
      client.close()
    }
    return { lines, registry, stop, [Symbol.asyncDispose]: stop }
  }

  const stack = started.move()
  return {
    server,
    nodes,
    /** A node that is there only in the API. */
    lease: (name: string, subnet: string, publicIp: string, backend = 'host-gw', data = 'null') =>
      server.put('nodes', {
        metadata: {
          name,
          creationTimestamp: '2026-01-01T00:00:00Z',
          annotations: {
            [annotation('kube-subnet-manager')]: 'true',
            [annotation('backend-type')]: backend,
            [annotation('backend-data')]: data,
            [annotation('public-ip')]: publicIp,
          },
        },
        spec: { podCIDR: subnet },
      } as never),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Waits for it; an end without it says how things are. */
export const untilTrue = (what: () => boolean, describe: () => string): Promise<void> =>
  until(() => assert.ok(what(), describe()))

/** Each has so many peers, and pods may come. Traffic before that would keep this process from telling them. */
export const knowEachOther = (flannels: readonly Flannel[], families: Families, peers: number): Promise<void> =>
  untilTrue(
    () =>
      flannels.every((flannel) =>
        families.every((family) =>
          flannel.registry.render().includes(`flannel_peers{family="IPv${family}"} ${peers}\n`),
        ),
      ),
    () => flannels.map(({ lines }) => lines.join('\n')).join('\n\n'),
  )

/** A pod that counts the bytes of TCP connections on port 8080 and sends datagrams back on 8081. Resolves when it does. */
export async function serveInPod({ podNetns }: TestNode): Promise<AsyncDisposable> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const child = withNetns(podNetns, () => spawn('python3', ['-c', serverText], { stdio: [...stdio] }))
  await new Promise((resolve) => child.stdout!.once('data', resolve))
  return {
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await ended
    },
  }
}

/** What a program in the pod says. */
export const execInPod = ({ podNetns }: TestNode, ...words: readonly string[]) =>
  withNetns(podNetns, () => spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' }))

/** What got through to a pod and back: bytes of a TCP connection, and the datagrams of these sizes that came back whole. */
export function talk(
  from: TestNode,
  to: string,
  sizes: readonly number[],
  timeoutSeconds = 5,
): { tcp: number; udp: readonly number[] } {
  const { stdout, stderr } = execInPod(from, 'python3', '-c', clientText, to, sizes.join(), String(timeoutSeconds))
  return stdout === '' ? { tcp: -1, udp: [stderr.length] } : (JSON.parse(stdout) as { tcp: number; udp: number[] })
}

/** So many bytes are many full-size packets. */
export const tcpBytes = 300_000

const serverText = `
import socket, threading
ready = threading.Semaphore(0)
def tcp(family):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(('', 8080))
    listener.listen()
    ready.release()
    while True:
        connection = listener.accept()[0]
        count = 0
        while count < ${tcpBytes}:
            data = connection.recv(65536)
            if not data: break
            count += len(data)
        connection.sendall(str(count).encode())
        connection.close()
def udp(family):
    echo = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: echo.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    echo.setsockopt(socket.SOL_SOCKET, 33, 8 << 20) # SO_RCVBUFFORCE: what is lost was not lost here
    echo.bind(('', 8081))
    ready.release()
    while True:
        data, sender = echo.recvfrom(65536)
        echo.sendto(data, sender)
for act in (tcp, udp):
    for family in (socket.AF_INET, socket.AF_INET6):
        threading.Thread(target=act, args=(family,)).start()
for _ in range(4): ready.acquire()
print('ready', flush=True)
`
const clientText = `
import json, socket, sys
to, sizes, limit = sys.argv[1], [int(size) for size in sys.argv[2].split(',') if size], float(sys.argv[3])
family = socket.AF_INET6 if ':' in to else socket.AF_INET
tcp = 0
try:
    connection = socket.create_connection((to, 8080), limit)
    connection.sendall(b'x' * ${tcpBytes})
    tcp = int(connection.recv(99).decode() or 0)
except OSError: pass
echo = socket.socket(family, socket.SOCK_DGRAM)
echo.settimeout(limit)
back = []
for size in sizes:
    try:
        echo.sendto(b'y' * size, (to, 8081))
        if echo.recvfrom(65536)[0] == b'y' * size: back.append(size)
    except OSError: break
print(json.dumps({'tcp': tcp, 'udp': back}))
`
