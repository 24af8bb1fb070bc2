// Writes: creates, patches and server-side apply by so many clients at once, each of which sends one after the other.
import { percentile, type Figures } from '../bench.ts'
import { RawClient, type RawReply } from './raw-client.ts'
import { cpuMs, type Server } from './server.ts'

export const maps = '/api/v1/namespaces/default/configmaps'

export const connectAll = (server: Server, count: number): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, () => RawClient.connect(server.port, server.credentials)))

type Load = {
  /** how the figures begin: `create_64` */
  readonly name: string
  readonly clients: number
  readonly seconds: number
  send(client: RawClient, index: number, n: number): Promise<RawReply>
}

async function run(server: Server, { name, clients: count, seconds, send }: Load): Promise<Figures> {
  const clients = await connectAll(server, count)
  const taken: number[] = []
  let errors = 0
  const spent = cpuMs(server)
  const begun = performance.now()
  const end = begun + seconds * 1000
  await Promise.all(
    clients.map(async (client, index) => {
      for (let n = 0; performance.now() < end; n++) {
        const from = performance.now()
        const { code } = await send(client, index, n)
        if (code < 300) taken.push(performance.now() - from)
        else errors++
      }
    }),
  )
  const tookSeconds = (performance.now() - begun) / 1000
  for (const client of clients) client.close()
  return {
    [`${name}_per_s`]: taken.length / tookSeconds,
    [`${name}_p99_ms`]: percentile(taken, 0.99),
    [`${name}_cpu_us`]: ((cpuMs(server) - spent) * 1000) / taken.length,
    [`${name}_errors`]: errors,
  }
}

const value = 'x'.repeat(200)

export const creates = (server: Server, clients: number, seconds: number): Promise<Figures> =>
  run(server, {
    name: `create_${clients}`,
    clients,
    seconds,
    send(client, index, n) {
      const name = `c${clients}-${index}-${n}`
      const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{"value":"${value}"}}`
      return client.request('POST', maps, body)
    },
  })

const deployments = '/apis/apps/v1/namespaces/default/deployments'
const deployment = (name: string, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'web', image, ports: [{ containerPort: 80 }] }] },
    },
  },
})
const patchers = 64

/** Each client patches a Deployment of its own, as `kubectl set image` and `kubectl apply --server-side` do. */
export async function patches(server: Server, seconds: number): Promise<Figures> {
  const [first] = await connectAll(server, 1)
  for (let index = 0; index < patchers; index++)
    await first!.request('POST', deployments, JSON.stringify(deployment(`p-${index}`, 'web:0')))
  first!.close()
  return run(server, {
    name: `patch_${patchers}`,
    clients: patchers,
    seconds,
    send(client, index, n) {
      const body = `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:${n + 1}"}]}}}}`
      return client.request('PATCH', `${deployments}/p-${index}`, body, 'application/strategic-merge-patch+json')
    },
  })
}

export const applies = (server: Server, clients: number, seconds: number): Promise<Figures> =>
  run(server, {
    name: `apply_${clients}`,
    clients,
    seconds,
    send(client, index, n) {
      const body = JSON.stringify(deployment(`a-${index}`, `web:${n}`))
      const url = `${deployments}/a-${index}?fieldManager=bench`
      return client.request('PATCH', url, body, 'application/apply-patch+yaml')
    },
  })
