// Ingress: HAProxy as `fairway ingress` steers it, against nginx, HAProxy with one back end and a proxy on Node, on one
// core and in turns; and the time from an edit to its first answer, with errors under load, at so many routes.
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { RunningIngress } from '#test/running-ingress.ts'
import { type Bench, type Figures, percentile } from './bench.ts'
import { ask, editUnderLoad, seed } from './ingress/edits.ts'
import { type Load, load, workerOf } from './ingress/load.ts'
import { ports, startPeers } from './ingress/peers.ts'

const proxies = ['fairway', 'haproxy', 'nginx', 'node'] as const

export const bench: Bench = {
  about: 'requests through HAProxy as we steer it, a plain HAProxy, nginx and Node on one core each; edits under load',
  async run({ short, own, say }) {
    const routes = Number(own.get('routes') ?? (short ? 50 : 5000))
    const edits = Number(own.get('edits') ?? (short ? 20 : 1000))
    const seconds = short ? 1 : 3
    const rounds = short ? 1 : 3
    const missing = ['nginx', 'wrk', 'haproxy'].filter(
      (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
    )
    if (missing.length > 0) return { figures: {}, skipped: missing.map((name) => `${name} is not installed`) }
    const folder = mkdtempSync(`${tmpdir()}/fairway-bench-`)
    const running = new RunningIngress()
    const { client, registry } = running
    let children: readonly ChildProcess[] = []
    try {
      const peers = startPeers(folder)
      children = Object.values(peers)
      seed(client, routes)
      await running.start({ http: `127.0.0.1:${ports.fairway}`, https: `127.0.0.1:${ports.https}` })
      await Promise.all([ports.pod, ...proxies.map((name) => ports[name])].map(untilAnswers))
      const pids = {
        fairway: running.pid(),
        haproxy: peers.haproxy.pid!,
        nginx: workerOf(peers.nginx.pid!),
        node: peers.node.pid!,
      }
      const samples: Record<string, Load[]> = { fairway: [], haproxy: [], nginx: [], node: [] }
      for (let round = 0; round < rounds; round++)
        for (const name of proxies) samples[name]!.push(await load(ports[name], seconds, pids[name]))
      const figuresOf = (name: string): Figures => {
        const median = (of: (one: Load) => number) => percentile(samples[name]!.map(of), 0.5)
        return {
          rps: median(({ rps }) => rps),
          p99_ms: median(({ p99Ms }) => p99Ms),
          cpu_us_per_request: median(({ cpuUs = Number.NaN }) => cpuUs),
        }
      }
      say(`${routes} routes; ${edits * 3} edits under load`)
      const changed = await editUnderLoad(client, edits)
      const starts = Number(/^fairway_ingress_proxy_starts_total (\d+)/m.exec(registry.render())?.[1])
      return {
        figures: { ...figuresOf('fairway'), ...changed, reloads: starts - 1 },
        peers: Object.fromEntries(proxies.slice(1).map((name) => [name, figuresOf(name)])),
      }
    } finally {
      await running.stop()
      for (const child of children) child.kill('SIGTERM')
      await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
      rmSync(folder, { recursive: true })
    }
  },
}

async function untilAnswers(port: number): Promise<void> {
  for (const end = performance.now() + 30_000; ; await sleep(20)) {
    if ((await ask(port, 'host-1.test')) !== undefined) return
    if (performance.now() > end) throw new Error(`nothing answers at port ${port}`)
  }
}
