// Networks for tests: pinned namespaces with links between them, and a thread in each that serves and connects. Every
// server answers who it is and whom it saw; every client says what became of its connections. Needs root and a network
// namespace of the test's own (`npm test` makes one).
//
//   await using net = await createTopology(['client', 'server'], ({ client, server }) => {
//     client.route.addVeth({ name: 'eth0', up: true, peer: { name: 'eth0', up: true }, peerNetns: server.netns })
//   })
import { Worker } from 'node:worker_threads'
import { createNetns, deleteNetns } from '#kernel/netns.ts'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import type { Answer, Call } from '#test/topology-agent.ts'

/** What came of connections: `NAME SOURCE`, or `timeout`, `ECONNREFUSED` ... -> how often. */
export type Tally = Readonly<Record<string, number>>

export type ConnectOptions = {
  readonly host: string
  readonly port: number
  readonly protocol?: 'tcp' | 'udp'
  /** default 1 */
  readonly times?: number
  /** how many at once, default 10 */
  readonly parallel?: number
  readonly localAddress?: string
  /** UDP only */
  readonly localPort?: number
  /** UDP only: also say what the call that sends fails with */
  readonly hearsSend?: true
  /** default 1,000; what is to be dropped may wait shorter */
  readonly timeoutMs?: number
}

export type Place = {
  readonly netns: string
  readonly route: Route
  /** Serves TCP and UDP on these ports, on all addresses of both families. */
  serve(...ports: readonly number[]): Promise<void>
  /** Stops what `serve` started. */
  close(...ports: readonly number[]): Promise<void>
  connect(options: ConnectOptions): Promise<Tally>
  /** Calls a URL; answers status, headers and body. */
  fetch(
    url: string,
  ): Promise<{ readonly status: number; readonly headers: Record<string, string>; readonly body: string }>
}

export type Topology<Name extends string> = AsyncDisposable & { readonly [N in Name]: Place }

let made = 0

/** Makes the namespaces, with loopback up, then lets `wire` lay the links. */
export async function createTopology<const Name extends string>(
  names: readonly Name[],
  wire: (places: { readonly [N in Name]: Pick<Place, 'netns' | 'route'> }) => void,
): Promise<Topology<Name>> {
  const prefix = `t${process.pid}-${made++}`
  const places = Object.fromEntries(names.map((name) => [name, makePlace(`/run/netns/${prefix}-${name}`)]))
  try {
    wire(places as never)
    const agents = await Promise.all(names.map((name) => startAgent(name, places[name]!.netns)))
    const all = names.map((name, i) => [name, { ...places[name]!, ...callsTo(agents[i]!) }] as const)
    return {
      ...Object.fromEntries(all),
      [Symbol.asyncDispose]: async () => {
        await Promise.all(agents.map((agent) => agent.terminate()))
        end(places)
      },
    } as never
  } catch (error) {
    end(places)
    throw error
  }
}

/** A thread in this process's own namespace, which serves and connects while the test is busy. */
export async function startAgentHere(): Promise<AsyncDisposable & Pick<Place, 'serve' | 'connect'>> {
  const agent = await startAgent('here', '/proc/self/ns/net')
  return { ...callsTo(agent), [Symbol.asyncDispose]: async () => void (await agent.terminate()) }
}

type BarePlace = Pick<Place, 'netns' | 'route'>

function makePlace(netns: string): BarePlace {
  createNetns(netns)
  // A link-local address that is still being checked for duplicates makes a node deaf for its first seconds.
  writeSysctls({ 'net/ipv6/conf/all/accept_dad': 0, 'net/ipv6/conf/default/accept_dad': 0 }, netns)
  const route = openRoute(netns)
  route.setLink('lo', { up: true })
  return { netns, route }
}

function end(places: Readonly<Record<string, BarePlace>>): void {
  for (const { netns, route } of Object.values(places)) {
    route[Symbol.dispose]()
    deleteNetns(netns)
  }
}

/** Node's sockets belong to the namespace of the thread that made them: hence a thread for each. */
async function startAgent(name: string, netns: string): Promise<Worker> {
  const agent = new Worker(new URL('topology-agent.ts', import.meta.url), { workerData: { name, netns } })
  await new Promise<void>((resolve, reject) => {
    agent.once('message', () => resolve())
    agent.once('error', reject)
  })
  agent.unref()
  return agent
}

function callsTo(agent: Worker): Omit<Place, 'netns' | 'route'> {
  let next = 0
  const waiting = new Map<number, (answer: Answer) => void>()
  agent.on('message', ({ id, answer }: { id: number; answer: Answer }) => {
    waiting.get(id)?.(answer)
    waiting.delete(id)
    if (waiting.size === 0) agent.unref()
  })
  const call = (what: Call) =>
    new Promise<never>((resolve, reject) => {
      const id = next++
      agent.ref()
      waiting.set(id, (answer) =>
        'error' in answer ? reject(new Error(answer.error)) : resolve(answer.value as never),
      )
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      agent.postMessage({ id, call: what })
    })
  return {
    serve: (...ports) => call({ kind: 'serve', ports }),
    close: (...ports) => call({ kind: 'close', ports }),
    connect: (options) => call({ kind: 'connect', options }),
    fetch: (url) => call({ kind: 'fetch', url }),
  }
}
