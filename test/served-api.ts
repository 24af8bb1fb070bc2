// An API server on loopback, with TLS and its own authority: what clients meet.
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, type Serving } from '#apiserver/main.ts'
import { systemClock, type Clock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { createAuthority, createKey, issueCertificate, type KeyPair } from '#pki/certificate.ts'

export type Reply = { readonly code: number; readonly body: string; readonly headers: Record<string, unknown> }
export type AskOptions = RequestOptions & { readonly body?: string | Uint8Array }

export interface ServedApi extends AsyncDisposable {
  readonly port: number
  /** from within the process */
  readonly dial: Serving['dial']
  readonly ca: KeyPair
  /** of system:masters */
  readonly admin: KeyPair
  /** what signs and verifies tokens of accounts */
  readonly tokens: { readonly key: string; readonly issuer: string }
  issue(commonName: string, ...organizations: string[]): KeyPair
  ask(path: string, options?: AskOptions): Promise<Reply>
  /** As the administrator, with and from JSON; throws where the answer is no success. */
  // oxlint-disable-next-line typescript/no-explicit-any
  call(method: string, path: string, object?: object): Promise<any>
}

export async function serveApi({ clock = systemClock }: { readonly clock?: Clock } = {}): Promise<ServedApi> {
  const folder = mkdtempSync(join(tmpdir(), 'fairway-apiserver-'))
  const ca = createAuthority({ commonName: 'kubernetes' })
  const issue = (commonName: string, ...organizations: string[]) =>
    issueCertificate(ca, { commonName, organizations, usages: ['client'] })
  const admin = issue('admin', 'system:masters')
  const server = issueCertificate(ca, { commonName: 'kube-apiserver', usages: ['server'], ips: ['127.0.0.1'] })
  const tokens = { key: createKey(), issuer: 'https://kubernetes.default.svc' }
  const ending = new AbortController()
  const ready = Promise.withResolvers<Serving>()
  const running = run(
    {
      bindAddress: '127.0.0.1',
      securePort: 0,
      advertiseAddress: '192.0.2.1',
      serviceClusterIpRanges: ['10.96.0.0/12'],
      serviceNodePortRange: '30000-32767',
      tls: { ...server, clientCa: ca.cert },
      agentTrust: { ...admin, ca: ca.cert },
      store: { kind: 'sqlite', path: join(folder, 'store.db') },
      tokens: { keys: [tokens.key], signingKey: tokens.key, issuer: tokens.issuer },
      onReady: ready.resolve,
    },
    { signal: ending.signal, log: silentLog, clock, registry: createRegistry() },
  )
  running.catch((error: unknown) => ready.reject(error as Error))
  const { port, dial } = await ready.promise
  const ask = (path: string, { body, ...rest }: AskOptions = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, ca: ca.cert, agent: false as const, ...rest }
      const request = httpsRequest(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ code: response.statusCode!, body: text, headers: response.headers }))
      })
      request.on('error', reject)
      request.end(body)
    })
  return {
    port,
    dial,
    ca,
    admin,
    tokens,
    issue,
    ask,
    async call(method, path, object) {
      const body = object === undefined ? {} : { body: JSON.stringify(object) }
      const reply = await ask(path, { ...admin, method, ...body })
      if (reply.code >= 300) throw new Error(`${method} ${path}: ${reply.code} ${reply.body}`)
      return JSON.parse(reply.body)
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      await running
      rmSync(folder, { recursive: true })
    },
  }
}
