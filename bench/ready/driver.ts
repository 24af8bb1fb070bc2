// Runs inside the namespace: Services, then one pod whose kubelet says again and again that it is ready, and that it is not.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nodes, pods, services, type Pod, type Service } from '#api/core.ts'
import type { Client } from '#client/client.ts'
import { formatTime } from '#api/time.ts'
import { percentile, type BenchResult } from '../bench.ts'
import { inDefault, kubeconfigIn, makeServices, startApiserver, startPart } from '../proxy/cluster.ts'
import { serverIp, serverPort, startServer } from '../proxy/connect-times.ts'
import type { Wanted } from '../ready.ts'

const wanted = JSON.parse(process.argv[2]!) as Wanted
const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-ready-'))
const started: ChildProcess[] = []

async function measure(): Promise<BenchResult> {
  const { process: apiserver, client } = await startApiserver(folder)
  started.push(apiserver)
  console.log(`making ${wanted.services} Services with ${wanted.endpoints} endpoints each`)
  await startServer()
  const addresses = [{ type: 'InternalIP', address: serverIp }]
  await client.create(nodes, { metadata: { name: 'node-1' }, status: { addresses } })
  await makeServices(client, wanted)
  const ip = await makePod(client)
  const kubeconfig = ['--kubeconfig', kubeconfigIn(folder)]
  const proxyFlags = ['--hostname-override', 'node-1', '--conntrack-max-per-core', '0']
  for (const words of [
    ['controllers', '--controllers', 'endpointslice-controller'],
    ['proxy', ...proxyFlags],
  ]) {
    const part = startPart(...words, ...kubeconfig)
    part.stderr!.resume()
    started.push(part)
  }
  const times: Record<'ready' | 'unready', number[]> = { ready: [], unready: [] }
  for (let round = -3; round < wanted.rounds; round++)
    for (const state of ['ready', 'unready'] as const) {
      const tookMs = await changeTo(client, ip, state)
      // The first rounds wait for the parts to start, and run what was never run before.
      if (round >= 0) times[state].push(tookMs)
      await sleep(20)
    }
  return {
    figures: {
      ready_p50_ms: percentile(times.ready, 0.5),
      ready_p99_ms: percentile(times.ready, 0.99),
      unready_p50_ms: percentile(times.unready, 0.5),
      unready_p99_ms: percentile(times.unready, 0.99),
    },
  }
}

/** The pod's address is this node's, where a server listens. Answers the virtual IP. */
async function makePod(client: Client): Promise<string> {
  const labels = { app: 'measured' }
  const ports = [{ port: 80, targetPort: serverPort }]
  const service: Service = { metadata: { ...inDefault, name: 'measured' }, spec: { selector: labels, ports } }
  const { spec } = await client.create(services, service)
  const pod: Pod = {
    metadata: { ...inDefault, name: 'measured', labels },
    spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'x' }] },
  }
  await client.create(pods, pod)
  return spec!.clusterIP!
}

/** From the moment that the kubelet asks until connections are answered, or refused. */
async function changeTo(client: Client, ip: string, state: 'ready' | 'unready'): Promise<number> {
  const isReady = state === 'ready'
  const condition = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: formatTime(Date.now()) }
  const status = { phase: 'Running', podIP: serverIp, podIPs: [{ ip: serverIp }], conditions: [condition] } as const
  const startMs = performance.now()
  const patched = client.patch(pods, 'measured', { status }, { type: 'merge', subresource: 'status', ...inDefault })
  while ((await answers(ip)) !== isReady)
    if (performance.now() - startMs > 30_000) throw new Error(`the virtual IP did not become ${state}`)
    else await sleep(1)
  const tookMs = performance.now() - startMs
  await patched
  return tookMs
}

async function answers(ip: string): Promise<boolean> {
  const socket = connect({ host: ip, port: 80 })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

try {
  console.log(JSON.stringify(await measure()))
} finally {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
