// effect: HTTP requests, wrk
// Edits while wrk asks for another route all the time: how long until each is served, and what fails meanwhile.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingresses } from '#api/networking.ts'
import type { FakeClient } from '#client/fake.ts'
import { type Figures, percentile } from '../bench.ts'
import { readWrk } from './load.ts'
import { ports } from './peers.ts'

const rule = (host: string, name = 'pod') => ({
  metadata: { name: host.replaceAll('.', '-'), namespace: 'default' },
  spec: {
    rules: [
      {
        host,
        http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name, port: { number: 80 } } } }] },
      },
    ],
  },
})

/** A Service with one endpoint, which was at another port before. */
function service(client: FakeClient, name: string, port: number): void {
  client.seed(services, { metadata: { name, namespace: 'default' }, spec: { ports: [{ port: 80 }] } })
  endpoint(client, name, port)
}
function endpoint(client: FakeClient, name: string, port: number): void {
  client.seed(endpointSlices, {
    metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port }],
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
  })
}

/** So many routes, one Service for each five of them. */
export function seed(client: FakeClient, routes: number): void {
  for (let i = 0; i < routes; i += 5) service(client, `pod-${i}`, ports.pod)
  service(client, 'pod', ports.pod)
  service(client, 'moving', ports.pod)
  client.seed(ingresses, rule('moving.test', 'moving'))
  for (let i = 0; i < routes; i++) client.seed(ingresses, rule(`host-${i}.test`, `pod-${i - (i % 5)}`))
}

/** What a route answers; undefined where it does not answer with 200. */
export function ask(port: number, host: string, agent?: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, headers: { host }, ...(agent && { agent }) }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve(answer.statusCode === 200 ? text : undefined))
    }).on('error', () => resolve(undefined))
  })
}

/** Makes an edit, and measures until `host` answers so. */
async function served(host: string, want: string, agent: Agent, edit: () => void): Promise<number> {
  const startMs = performance.now()
  edit()
  while ((await ask(ports.fairway, host, agent)) !== want)
    if (performance.now() - startMs > 30_000) throw new Error(`${host} is not served by ${want}`)
  return performance.now() - startMs
}

/** Each edit makes a route and takes it away again, every fourth with a Service of its own, and moves an endpoint. */
export async function editUnderLoad(client: FakeClient, edits: number): Promise<Figures> {
  const agent = new Agent({ keepAlive: true })
  const words = ['-t1', '-c16', '-d600', '--latency', '-H', 'Host: host-1.test', `http://127.0.0.1:${ports.fairway}/`]
  const child = spawn('wrk', words, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  const routes: number[] = []
  const moves: number[] = []
  for (let i = 0; i < edits; i++) {
    const host = `edit-${i}.test`
    const name = i % 4 === 0 ? `edit-${i}` : 'pod'
    if (i % 4 === 0) service(client, name, ports.pod)
    routes.push(await served(host, 'pod', agent, () => client.seed(ingresses, rule(host, name))))
    const [port, answer] = i % 2 === 0 ? [ports.other, 'other'] : [ports.pod, 'pod']
    moves.push(await served('moving.test', answer, agent, () => endpoint(client, 'moving', port)))
    await client.delete(ingresses, host.replaceAll('.', '-'), { namespace: 'default' })
  }
  child.kill('SIGINT')
  await once(child, 'close')
  agent.destroy()
  const { errors, rps } = readWrk(text)
  return {
    edits: edits * 3,
    edit_errors: errors,
    edit_rps: rps,
    propagation_p50_ms: percentile(routes, 0.5),
    propagation_p99_ms: percentile(routes, 0.99),
    endpoint_propagation_p50_ms: percentile(moves, 0.5),
    endpoint_propagation_p99_ms: percentile(moves, 0.99),
  }
}
