// The Ingress controller in this process, with a HAProxy and endpoints on loopback, against an API server that is none.
import * as assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { events, secrets, services } from '#api/core.ts'
import { endpointSlices } from '#api/discovery.ts'
import { ingressClasses, ingresses } from '#api/networking.ts'
import { type FakeClient, fakeClient } from '#client/fake.ts'
import { systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import type { DataPlane } from '#ingress/haproxy/data-plane.ts'
import { type IngressOptions, run } from '#ingress/main.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void
type Port = { readonly name?: string; readonly port: number; readonly appProtocol?: string }

export class RunningIngress {
  readonly client: FakeClient
  readonly folder = mkdtempSync(`${tmpdir()}/fairway-ingress-`)
  readonly registry = createRegistry()
  readonly log: string[] = []
  dataPlane!: DataPlane
  readonly #ended = new AbortController()
  readonly #closing: { close(): unknown }[] = []
  #running: Promise<void> | undefined

  /** `client`: one that others use too. */
  constructor(client = fakeClient()) {
    this.client = client
    client.seed(ingressClasses, {
      metadata: { name: 'fairway', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'fairway/ingress' },
    })
  }

  /** Resolves when it serves. */
  async start(changed: Partial<IngressOptions> = {}): Promise<void> {
    const serving = Promise.withResolvers<void>()
    this.#running = run(
      {
        client: this.client,
        folder: this.folder,
        http: '127.0.0.1:8080',
        https: '127.0.0.1:8443',
        threads: 1,
        accessLog: false,
        trustedProxies: [],
        leaderElect: false,
        leaseNamespace: 'kube-system',
        publishService: undefined,
        publishAddresses: [{ ip: '192.0.2.7' }],
        onServing: (dataPlane) => {
          this.dataPlane = dataPlane
          serving.resolve()
        },
        ...changed,
      },
      {
        signal: this.#ended.signal,
        clock: systemClock,
        log: createLogger({ format: 'text', level: 0, write: (line) => void this.log.push(line) }),
        registry: this.registry,
      },
    )
    await Promise.race([serving.promise, this.#running])
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
    for (const one of this.#closing) one.close()
    rmSync(this.folder, { recursive: true })
  }

  /** Something that is closed when this stops. */
  closeLater(one: { close(): unknown }): void {
    this.#closing.push(one)
  }

  /** A server on a port of loopback, which it answers. */
  async listen(server: NetServer): Promise<number> {
    this.closeLater(server)
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  /** A pod that answers with its name and the path, or as it is told. */
  async pod(
    name: string,
    handler: Handler = (request, response) => void response.end(`${name} ${request.url}`),
  ): Promise<number> {
    return this.listen(createServer(handler))
  }

  /** A Service with its endpoints at these ports of loopback. */
  service(name: string, ports: readonly number[], port: Port = { name: 'http', port: 80 }): void {
    this.client.seed(services, { metadata: { name, namespace: 'default' }, spec: { ports: [port] } })
    this.endpoints(name, ports, port.name)
  }

  endpoints(name: string, ports: readonly number[], portName = 'http'): void {
    for (const [i, port] of ports.entries())
      this.client.seed(endpointSlices, {
        metadata: { name: `${name}-${i}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ name: portName, port }],
        endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      })
  }

  ingress(
    name: string,
    host: string,
    path: string,
    service: string,
    annotations: Record<string, string> = {},
    pathType = 'Prefix',
  ): void {
    const backend = { service: { name: service, port: { number: 80 } } }
    this.client.seed(ingresses, {
      metadata: { name, namespace: 'default', annotations },
      spec: { rules: [{ host, http: { paths: [{ path, pathType, backend }] } }] },
    })
  }

  /** What was told of an Ingress, as `REASON MESSAGE`. */
  told(name: string): readonly string[] {
    const own = this.client.all(events).filter(({ involvedObject }) => involvedObject.name === name)
    return own.map(({ reason, message }) => `${reason} ${message}`)
  }

  secret(name: string, { cert, key }: { readonly cert: string; readonly key: string }): void {
    const encode = (text: string) => Buffer.from(text).toString('base64')
    this.client.seed(secrets, {
      metadata: { name, namespace: 'default' },
      data: { 'tls.crt': encode(cert), 'tls.key': encode(key) },
    })
  }

  /** Body and status, as `BODY STATUS`; 000 where there was no answer. */
  async curl(host: string, path: string, ...words: readonly string[]): Promise<string> {
    return this.curlAt(`http://127.0.0.1:8080${path}`, '-H', `Host: ${host}`, ...words)
  }

  async curlAt(url: string, ...words: readonly string[]): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    execFile('curl', ['-sk', '-m', '10', '-w', ' %{http_code}', ...words, url], (_error, stdout) => resolve(stdout))
    return promise
  }

  /** The number of the HAProxy that serves. */
  pid(): number {
    return Number(readFileSync(`${this.folder}/pid`, 'utf8'))
  }
}

/** A port of loopback at which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  assert.ok(port > 0)
  return port
}
