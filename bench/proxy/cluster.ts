// An API server as a process of its own, and Services with endpoints in it that nobody has to run.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { services, type Service } from '#api/core.ts'
import { endpointSlices, type EndpointSlice } from '#api/discovery.ts'
import { connect, type Client } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
export const inDefault = { namespace: 'default' }
export const kubeconfigIn = (folder: string): string => join(folder, 'kubeconfig')

/** A part by its command. */
export const startPart = (...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })

export async function startApiserver(
  folder: string,
): Promise<{ readonly process: ChildProcess; readonly client: Client }> {
  const address = ['--bind-address', '127.0.0.1', '--advertise-address', '192.0.2.1']
  const files = ['--data-file', join(folder, 'store.db'), '--cert-dir', folder]
  const process = startPart('apiserver', ...address, ...files)
  const said = process.stderr!.setEncoding('utf8')
  for await (const text of said.iterator({ destroyOnReturn: false })) if (String(text).includes('ready on port')) break
  said.resume()
  return { process, client: connect(loadKubeconfig(kubeconfigIn(folder))) }
}

export const service = (i: number): Service => ({
  metadata: { ...inDefault, name: `service-${i}` },
  spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }] },
})

const ipOf = (i: number, k: number) =>
  `10.${i >> 16 ? 245 : 244}.${(i >> 8) & 255}.${i & 255}`.replace(/\d+$/, String((i + 37 * k) & 255))
const endpoint = (i: number, k: number) => ({
  addresses: [ipOf(i, k)],
  nodeName: `node-${(k % 3) + 1}`,
  conditions: { ready: true, serving: true, terminating: false },
})

/** Of Service `i`, with `count` endpoints. */
export const slice = (i: number, count: number): EndpointSlice => ({
  metadata: {
    ...inDefault,
    name: `service-${i}-a`,
    labels: { 'kubernetes.io/service-name': `service-${i}` },
  },
  addressType: 'IPv4',
  endpoints: Array.from({ length: count }, (_, k) => endpoint(i, k)),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
})

export async function makeServices(
  client: Client,
  { services: count, endpoints }: { readonly services: number; readonly endpoints: number },
): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      await client.create(services, service(i))
      await client.create(endpointSlices, slice(i, endpoints))
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
}
