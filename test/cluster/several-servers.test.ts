// Several API servers on one etcd: what one writes the other shows at once, no address or port is given twice, the
// controllers of one of them act, and clients go on when a server or a member of etcd dies.
import * as assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { deployments, replicaSets } from '#api/apps.ts'
import { leases } from '#api/coordination.ts'
import { configMaps, endpoints, services, type Service } from '#api/core.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['etcd', 'ip'] })

type Server = { readonly address: string; readonly folder: string; child: ChildProcess; client: Client; said: string }

let root: string
let etcd: EtcdCluster
const servers: Server[] = []

before(async () => {
  if (skip !== false) return
  root = mkdtempSync(join(tmpdir(), 'fairway-servers-'))
  etcd = await EtcdCluster.start(3)
  for (const n of [1, 2]) servers.push(await start(`10.255.255.${n}`))
})
after(async () => {
  for (const { child, client } of servers) {
    child.kill('SIGKILL')
    client.close()
  }
  await etcd?.[Symbol.asyncDispose]()
  if (root !== undefined) rmSync(root, { recursive: true })
})

/** A server with controllers on an address of its own, of which this test's network namespace has plenty. */
async function start(address: string): Promise<Server> {
  spawnSync('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo'])
  const folder = join(root, address)
  mkdirSync(folder, { recursive: true })
  // All servers of a cluster have one authority and one key for tokens.
  const first = servers[0]?.folder
  if (first !== undefined && first !== folder)
    for (const name of ['ca.crt', 'ca.key', 'service-account.key']) copyFileSync(join(first, name), join(folder, name))
  const flags = {
    'bind-address': address,
    'cert-dir': folder,
    'etcd-servers': etcd.urls.join(),
    'service-node-port-range': '30000-30400',
    'controllers-health-address': '0',
    'leader-elect-lease-duration': '4s',
  }
  const words = [
    'control-plane',
    '--leader-elect',
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  ]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const server = { address, folder, child, said: '' }
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      server.said += chunk.toString()
      if (server.said.includes('ready on port')) resolve()
    })
    child.once('exit', () => reject(new Error(server.said)))
  })
  return { ...server, client: connect(loadKubeconfig(join(folder, 'kubeconfig'))) }
}

async function until(holds: () => Promise<void>): Promise<void> {
  const end = performance.now() + 40_000
  for (;;) {
    try {
      return await holds()
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await sleep(100)
  }
}

const inDefault = { namespace: 'default' }
const addressesOfServers = async (client: Client) =>
  (await client.get(endpoints, 'kubernetes', inDefault)).subsets?.[0]?.addresses?.map(({ ip }) => ip)

test('what one server is told the other shows at once', { skip }, async () => {
  const [a, b] = servers.map(({ client }) => client)
  const seen: string[] = []
  const over = new AbortController()
  const watching = (async () => {
    for await (const { object } of b!.watch(configMaps, { ...inDefault, signal: over.signal }))
      seen.push(object.metadata?.name ?? '')
  })()
  const names = Array.from({ length: 10 }, (_, n) => `m${n}`)
  for (const name of names) {
    const made = await a!.create(configMaps, { metadata: { name, ...inDefault } }, inDefault)
    const read = await b!.get(configMaps, name, inDefault)
    assert.equal(read.metadata?.resourceVersion, made.metadata?.resourceVersion)
    // A conflict is one whichever server hears of it.
    await b!.update(configMaps, { ...read, data: { by: 'b' } }, inDefault)
    await assert.rejects(a!.update(configMaps, { ...made, data: { by: 'a' } }, inDefault), /modified/)
  }
  await until(async () => assert.ok(names.every((name) => seen.filter((one) => one === name).length >= 2)))
  over.abort()
  await watching
})

test('the Service kubernetes leads to all servers', { skip }, () =>
  until(async () => assert.deepEqual(await addressesOfServers(servers[0]!.client), ['10.255.255.1', '10.255.255.2'])),
)

test('two servers give no address and no port twice', { skip }, async () => {
  const created = await Promise.all(
    Array.from({ length: 120 }, (_, n) => {
      const service: Service = { metadata: { name: `s${n}` }, spec: { type: 'NodePort', ports: [{ port: 80 }] } }
      return servers[n % 2]!.client.create(services, service, inDefault)
    }),
  )
  const ips = created.map(({ spec }) => spec?.clusterIP)
  const ports = created.map(({ spec }) => spec?.ports?.[0]?.nodePort)
  assert.equal(new Set(ips).size, created.length)
  assert.equal(new Set(ports).size, created.length)
  // A port that was given back can be asked for at once, of the other server.
  const nodePort = ports[0]!
  await servers[0]!.client.delete(services, 's0', inDefault)
  const again: Service = { metadata: { name: 'again' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort }] } }
  await servers[1]!.client.create(services, again, inDefault)
  await assert.rejects(
    servers[0]!.client.create(services, { ...again, metadata: { name: 'twice' } }, inDefault),
    /provided port is already allocated/,
  )
})

const deployment = (name: string) => {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'x' }] } }
  return { metadata: { name }, spec: { selector: { matchLabels: labels }, template } }
}
const setsOf = async (client: Client, name: string) =>
  (await client.list(replicaSets, { ...inDefault, labelSelector: `app=${name}` })).items

test('a server is killed: clients go on with the other one, whose controllers take over', { skip }, async () => {
  const [one, two] = servers
  await one!.client.create(deployments, deployment('before'), inDefault)
  await until(async () => assert.equal((await setsOf(two!.client, 'before')).length, 1))
  const holder = async (client: Client) =>
    (await client.get(leases, 'kube-controller-manager', { namespace: 'kube-system' })).spec?.holderIdentity ?? ''
  const leading = await holder(two!.client)
  const leader = servers.find(({ child }) => child.pid === Number(/\d+$/.exec(leading)?.[0]))!
  assert.ok(leader, leading)
  const other = leader === one ? two! : one!
  leader.child.kill('SIGKILL')
  await other.client.create(deployments, deployment('after'), inDefault)
  await etcd.signal(0, 'SIGKILL')
  await until(async () => assert.equal((await setsOf(other.client, 'after')).length, 1))
  assert.notEqual(await holder(other.client), leading)
  assert.equal((await setsOf(other.client, 'before')).length, 1)
  await until(async () => assert.deepEqual(await addressesOfServers(other.client), [other.address]))
  etcd.startMember(0)

  // It comes back, and says goodbye when it is told to end.
  const back = await start(leader.address)
  servers.push(back)
  await until(async () => assert.equal((await addressesOfServers(other.client))?.length, 2))
  const ended = new Promise<void>((resolve) => back.child.once('exit', () => resolve()))
  back.child.kill('SIGTERM')
  await ended
  assert.deepEqual(await addressesOfServers(other.client), [other.address])
})
