// The whole proxy in this process and network namespace, against an API server that has the objects of a file.
import * as assert from 'node:assert/strict'
import { connect } from '#client/client.ts'
import { type Clock, systemClock } from '#daemon/clock.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { run } from '#proxy/main.ts'
import { type ProxyOptions, proxyDefaults } from '#proxy/options.ts'
import { FakeKubernetes, type FakeObject } from '#test/fake-kubernetes.ts'
import { readObjects } from '#test/yaml-objects.ts'

export type RunningProxy = AsyncDisposable & { readonly lines: string[]; readonly fake: FakeKubernetes }

/** On node-1, in iptables mode. Without a server given, one of its own ends with it. */
export async function startProxy(
  changed: Partial<ProxyOptions> = {},
  fakeBefore?: FakeKubernetes,
  clock: Clock = systemClock,
): Promise<RunningProxy> {
  const fake = fakeBefore ?? (await FakeKubernetes.start())
  if (fakeBefore === undefined) {
    const { services, slices, nodes } = readObjects('src/proxy/testdata/seeds.yaml')
    for (const object of services) fake.put('services', object as FakeObject)
    for (const object of slices) fake.put('endpointslices', object as unknown as FakeObject)
    for (const object of nodes) fake.put('nodes', object as FakeObject)
  }
  const lines: string[] = []
  const controller = new AbortController()
  const context = {
    signal: controller.signal,
    clock,
    registry: createRegistry(),
    log: createLogger({ format: 'text', level: 2, write: (line) => lines.push(line.replace(/^.*?\] /, '').trimEnd()) }),
  }
  const client = connect({ server: fake.url })
  const options: ProxyOptions = {
    ...proxyDefaults,
    mode: 'iptables',
    client,
    nodeName: 'node-1',
    clusterCidrs: ['10.244.0.0/16'],
    ...changed,
  }
  const ended = run(options, context)
  return {
    lines,
    fake,
    [Symbol.asyncDispose]: async () => {
      controller.abort()
      await ended.finally(() => client.close()).finally(() => (fakeBefore === undefined ? fake.stop() : undefined))
    },
  }
}

/** Until it holds, at most 30 seconds; asked less and less often, since asking may hold up the very thing. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000
  for (let pauseMs = 10; performance.now() < endMs; pauseMs = Math.min(pauseMs * 1.3, 250)) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  assert.fail(`never happened: ${what}`)
}
export const get = async (url: string) => {
  const response = await fetch(url)
  return { status: response.status, headers: response.headers, body: await response.text() }
}
