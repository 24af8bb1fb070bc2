// The API server: durable creates, patches, gets, lists, watches, 100,000 objects, start and memory. The load runs in this
// process, on the same cores as the server: figures are of both together; those in `cpu_us` are of the server alone.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench, BenchOptions, Figures } from './bench.ts'
import { startPeer } from './apiserver/kube-apiserver.ts'
import { gets, list, objects } from './apiserver/reads.ts'
import { memoryMb, startOwn, stop, type Server } from './apiserver/server.ts'
import { watches } from './apiserver/watches.ts'
import { applies, creates, patches } from './apiserver/writes.ts'

const kube = 'kube-apiserver'
/** our own server on an etcd */
const onEtcd = 'fairway-on-etcd'

export const bench: Bench = {
  about:
    'API server: creates, patches, applies, gets, lists, watches, 100,000 objects; on a file, on etcd, beside kube-apiserver',
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-bench-'))
    const peers: Record<string, Figures> = {}
    const skipped: string[] = []
    try {
      const figures = await measure(() => startOwn(folder, 'file'), options)
      if (options.own.get('stores') === 'file') skipped.push(`${onEtcd}: not asked for`)
      else if (spawnSync('etcd', ['--version']).status !== 0) skipped.push(`${onEtcd}: no etcd (Debian: etcd-server)`)
      else {
        options.say(onEtcd)
        peers[onEtcd] = await measure(() => startOwn(join(folder, 'own'), 'etcd'), options)
      }
      const program = options.peers.get(kube)
      if (program === undefined) skipped.push(`${kube} is not here (--peer ${kube}=PATH)`)
      else {
        options.say(kube)
        peers[kube] = await measure(() => startPeer(program, join(folder, 'peer')), options)
      }
      return { figures, peers, skipped }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function measure(launch: () => Promise<Server>, options: BenchOptions): Promise<Figures> {
  const figures: Figures = {}
  // The first start makes keys and fills the compile cache; the second is what users see.
  await stop(await launch())
  let server = await launch()
  const restart = async (before: Server) => {
    await stop(before)
    return (server = await launch())
  }
  figures['start_ms'] = server.startMs
  figures['idle_pss_mb'] = memoryMb(server)
  try {
    for (const [name, section] of Object.entries(sectionsOf(options, restart))) {
      if (!isAsked(name, options)) continue
      options.say(name)
      for (const part of section) Object.assign(figures, await part(server))
    }
    figures['busy_pss_mb'] = memoryMb(server)
    return figures
  } finally {
    await stop(server)
  }
}

/** `--only NAME,NAME`: so much of it. */
function isAsked(name: string, { own }: BenchOptions): boolean {
  const only = own.get('only')
  return only === undefined || only.split(',').includes(name)
}

type Section = readonly ((server: Server) => Promise<Figures>)[]

/** What is measured, in order. */
function sectionsOf(
  { short, own }: BenchOptions,
  restart: (server: Server) => Promise<Server>,
): Readonly<Record<string, Section>> {
  const crowds = short ? [1, 16] : [1, 64, 1000]
  const many = Number(own.get('objects') ?? (short ? 300 : 100_000))
  return {
    creates: crowds.map((clients) => (server) => creates(server, clients, short ? 0.5 : 5)),
    patches: [(server) => patches(server, short ? 0.5 : 3)],
    applies: crowds.slice(1).map((clients) => (server) => applies(server, clients, short ? 0.5 : 3)),
    gets: [(server) => gets(server, short ? 0.5 : 3)],
    list: [(server) => list(server, short ? 500 : 10_000)],
    watches: [(server) => watches(server, short ? 10 : 100, short ? 0.5 : 5)],
    objects: [(server) => objects(server, many, restart)],
  }
}
