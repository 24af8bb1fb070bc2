// kube-apiserver on Debian's etcd, as a cluster's own manifest would start both, on this machine alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthority, createKey, issueCertificate, publicKeyOf } from '#pki/certificate.ts'
import { type Credentials, RawClient } from './raw-client.ts'

export type Peer = {
  readonly processes: readonly ChildProcess[]
  readonly port: number
  readonly credentials: Credentials
  readonly startMs: number
}

const etcdPort = 16_557
const port = 16_556

/** Keeps what is in `folder`: a second start finds the first one's objects and keys. */
export async function startPeer(program: string, folder: string): Promise<Peer> {
  mkdirSync(folder, { recursive: true })
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const authority = createAuthority({ commonName: 'bench' })
  const served = issueCertificate(authority, {
    commonName: 'kube-apiserver',
    ips: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const client = issueCertificate(authority, {
    commonName: 'bench',
    organizations: ['system:masters'],
    usages: ['client'],
    days: 1,
  })
  const accounts = createKey()
  const log = openSync(join(folder, 'log'), 'a')
  const run = (command: string, words: readonly string[]) => spawn(command, words, { stdio: ['ignore', log, log] })
  const begun = performance.now()
  const { etcd, own } = startEtcd(folder, log)
  const server = run(program, [
    `--etcd-servers=${own}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=192.0.2.1',
    '--service-cluster-ip-range=10.96.0.0/12',
    '--authorization-mode=Node,RBAC',
    // Nobody makes service accounts here.
    '--disable-admission-plugins=ServiceAccount',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--client-ca-file=${file('ca.crt', authority.cert)}`,
    `--tls-cert-file=${file('server.crt', served.cert)}`,
    `--tls-private-key-file=${file('server.key', served.key)}`,
    `--service-account-signing-key-file=${file('accounts.key', accounts)}`,
    `--service-account-key-file=${file('accounts.pub', publicKeyOf(accounts))}`,
  ])
  const credentials = { ca: authority.cert, cert: client.cert, key: client.key }
  await ready(credentials, server, folder)
  return { processes: [server, etcd], port, credentials, startMs: performance.now() - begun }
}

/** One member, which keeps its data below `folder`. */
export function startEtcd(
  folder: string,
  log: number | 'ignore',
): { readonly etcd: ChildProcess; readonly own: string } {
  mkdirSync(join(folder, 'etcd'), { recursive: true })
  const own = `http://127.0.0.1:${etcdPort}`
  const words = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': own,
    'advertise-client-urls': own,
    'listen-peer-urls': `http://127.0.0.1:${etcdPort + 1}`,
  }
  const flags = Object.entries(words).flatMap(([name, value]) => [`--${name}`, value])
  return { etcd: spawn('etcd', flags, { stdio: ['ignore', log, log] }), own }
}

async function ready(credentials: Credentials, server: ChildProcess, folder: string): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`kube-apiserver ended: see ${join(folder, 'log')}`)
    try {
      const client = await RawClient.connect(port, credentials)
      const { code } = await client.request('GET', '/readyz')
      client.close()
      if (code === 200) return
    } catch {
      // Nobody listens yet.
    }
    await sleep(10)
  }
}
