// The Ingress controller, and now and then its HAProxy too, are killed at random moments while routes and endpoints change
// under load: while only the controller is killed not one request fails, and in the end every route leads where it should.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import type { Client } from '#client/client.ts'
import { runningIn } from '#ingress/haproxy/process.ts'
import { KilledPart, killNowAndThen, startServer } from '#test/killed-part.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['haproxy', 'ip'] })
const rounds = process.env['FAIRWAY_SOAK'] ? 200 : 12
const folder = mkdtempSync(join(tmpdir(), 'fairway-ingress-kills-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const namespace = 'default'
/** Endpoints may not be on loopback, as the API server has it. */
const podIp = '192.0.2.10'
const pods = [18001, 18002]

test(
  'kills of the controller under load: no request fails; every route is served in the end',
  { skip, timeout: 600_000 },
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
    t.diagnostic(`SEED=${seed}`)
    const random = seeded(seed)
    assert.equal(spawnSync('ip', ['address', 'add', `${podIp}/32`, 'dev', 'lo']).status, 0)
    const servers = pods.map((port) =>
      createServer((request, response) => response.end(request.url)).listen(port, podIp),
    )
    await using server = await startServer(folder)
    const { client, kubeconfig } = server
    await client.create(ingressClasses, { metadata: { name: 'fairway' }, spec: { controller: 'fairway/ingress' } })
    await makeService(client)
    const put = putIngress(client)
    await put('steady', '/')
    const own = ['--http', '127.0.0.1:8080', '--https', '127.0.0.1:8443', '--folder', join(folder, 'haproxy')]
    const flags = ['--no-access-log', '--health-address', '0', '--publish-address', '192.0.2.7', '--threads', '1']
    const controller = new KilledPart(['ingress', '--kubeconfig', kubeconfig, ...own, ...flags])
    const agent = new Agent({ keepAlive: true })
    const enough = new AbortController()
    try {
      await until(async () => assert.equal(await ask('steady', agent), '200 /'))
      const answers = new Map<string, number>()
      const asking = Array.from({ length: 4 }, async () => {
        while (!enough.signal.aborted) {
          const answer = await ask('steady', agent)
          answers.set(answer, (answers.get(answer) ?? 0) + 1)
        }
      })
      const paths = new Map<string, string>()
      const act = async () => {
        for (let i = 0; i < 4; i++) {
          const name = `route-${random.integer(0, 9)}`
          const path = `/${random.integer(0, 99)}`
          paths.set(name, path)
          await put(name, path, random.pick(annotations))
          if (i === 0) await put('steady', '/', random.pick(annotations))
          await moveEndpoint(client, random.pick(pods))
        }
      }
      await killNowAndThen([controller], { random, rounds, act })
      enough.abort()
      await Promise.all(asking)
      assert.deepEqual(
        [...answers.keys()],
        ['200 /'],
        `SEED=${seed} ${JSON.stringify([...answers])}\n${controller.said}`,
      )

      // Both at once.
      process.kill(haproxy(), 'SIGKILL')
      await controller.killAndStart()
      // Served by nobody but the controller that has just been started.
      paths.set('last', '/last')
      await put('last', '/last')
      for (const [name, path] of paths)
        await until(async () =>
          assert.equal(await ask(name, agent, path), `200 ${path}`, `SEED=${seed}\n${controller.said}`),
        )
      await until(async () => {
        const { items } = await client.list(ingresses, { namespace })
        for (const { status } of items) assert.deepEqual(status?.loadBalancer?.ingress, [{ ip: '192.0.2.7' }])
      })
    } finally {
      enough.abort()
      agent.destroy()
      await controller[Symbol.asyncDispose]()
      for (const one of servers) one.close()
    }
    // Those that wait for their last connection end with it, by themselves.
    await until(() => assert.deepEqual(runningIn(join(folder, 'haproxy')), []))
  },
)

const haproxy = () => Number(readFileSync(join(folder, 'haproxy/pid'), 'utf8'))

async function makeService(client: Client): Promise<void> {
  await client.create(services, { metadata: { name: 'pod', namespace }, spec: { ports: [{ name: 'http', port: 80 }] } })
  await client.create(endpointSlices, {
    metadata: { name: 'pod-x', namespace, labels: { 'kubernetes.io/service-name': 'pod' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: pods[0]! }],
    endpoints: [{ addresses: [podIp], conditions: { ready: true } }],
  })
}

const moveEndpoint = (client: Client, port: number) =>
  client.patch(endpointSlices, 'pod-x', { ports: [{ name: 'http', port }] }, { type: 'merge', namespace })

/** Each set of settings is another back end, which may need another HAProxy. */
const annotations = [
  {},
  { 'ingress.fairway/read-timeout': '30s' },
  { 'ingress.fairway/response-headers': 'X-Seen: yes' },
  { 'nginx.ingress.kubernetes.io/affinity': 'cookie' },
] as const
const none = Object.fromEntries(annotations.flatMap((one) => Object.keys(one)).map((name) => [name, null]))

/** Makes an Ingress for `NAME.test`, or changes its path and annotations. */
function putIngress(
  client: Client,
): (name: string, path: string, annotations?: Readonly<Record<string, string>>) => Promise<void> {
  const made = new Set<string>()
  return async (name, path, annotations = {}) => {
    const backend = { service: { name: 'pod', port: { number: 80 } } }
    const rules = [{ host: `${name}.test`, http: { paths: [{ path, pathType: 'Prefix', backend }] } }]
    const change = { metadata: { annotations: { ...none, ...annotations } }, spec: { rules } }
    if (made.has(name)) await client.patch(ingresses, name, change, { type: 'merge', namespace })
    else
      await client.create(ingresses, {
        metadata: { name, namespace, annotations },
        spec: { ingressClassName: 'fairway', rules },
      })
    made.add(name)
  }
}

/** Status and body, or the error's code. */
function ask(name: string, agent: Agent, path = '/'): Promise<string> {
  return new Promise((resolve) => {
    get({ agent, host: '127.0.0.1', port: 8080, path, headers: { host: `${name}.test` } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`)).on('error', ({ message }) => resolve(message))
    }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
