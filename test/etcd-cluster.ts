// An etcd cluster of Debian's etcd-server on this machine's loopback interface, for tests: members can be killed, stopped and
// started again.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type EtcdTls = { readonly ca: string; readonly cert: string; readonly key: string }

type Member = { readonly words: readonly string[]; readonly url: string; child: ChildProcess | undefined }

export class EtcdCluster implements AsyncDisposable {
  readonly #folder: string
  readonly #members: readonly Member[]
  readonly #said: string[] = []

  private constructor(folder: string, members: readonly Member[]) {
    this.#folder = folder
    this.#members = members
  }

  /** `tls`: paths of files; clients then need a certificate of the same authority. */
  static async start(size = 1, { tls, words = [] }: { tls?: EtcdTls; words?: readonly string[] } = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-etcd-'))
    const ports = await freePorts(2 * size)
    const scheme = tls ? 'https' : 'http'
    const at = (index: number) => `${scheme}://127.0.0.1:${ports[index]}`
    const peers = Array.from({ length: size }, (_, n) => `http://127.0.0.1:${ports[size + n]}`)
    const members = Array.from({ length: size }, (_, n) => {
      const flags = {
        name: `m${n}`,
        'data-dir': join(folder, `m${n}`),
        'listen-client-urls': at(n),
        'advertise-client-urls': at(n),
        'listen-peer-urls': peers[n]!,
        'initial-advertise-peer-urls': peers[n]!,
        'initial-cluster': peers.map((url, index) => `m${index}=${url}`).join(),
        'heartbeat-interval': '50',
        'election-timeout': '300',
        ...(tls && {
          'cert-file': tls.cert,
          'key-file': tls.key,
          'trusted-ca-file': tls.ca,
          'client-cert-auth': 'true',
        }),
      }
      const all = [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), ...words]
      return { words: all, url: at(n), child: undefined }
    })
    const cluster = new EtcdCluster(folder, members)
    members.forEach((_, n) => cluster.startMember(n))
    return cluster
  }

  get urls(): readonly string[] {
    return this.#members.map(({ url }) => url)
  }
  /** what the members wrote lately */
  get said(): string {
    return this.#said.join('')
  }

  startMember(index: number): void {
    const member = this.#members[index]!
    member.child = spawn('etcd', member.words, { stdio: ['ignore', 'ignore', 'pipe'] })
    member.child.stderr!.on('data', (chunk: Buffer) => {
      this.#said.push(chunk.toString())
      if (this.#said.length > 50) this.#said.shift()
    })
  }

  /** SIGKILL; SIGSTOP: it keeps its connections and says nothing any more; SIGCONT. */
  async signal(index: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    const { child } = this.#members[index]!
    const gone = new Promise<void>((resolve) => child?.once('exit', () => resolve()))
    child?.kill(signal)
    if (signal === 'SIGKILL' && child?.exitCode === null && child.signalCode === null) await gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, index) => this.signal(index, 'SIGKILL')))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Ports that nobody has: all are taken at once, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
