// SCTP through Services, in each mode and address family, for kernels that have it (`npm run modes` brings one along).
// Node has no SCTP: Python's sockets speak it.
import * as assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { ProxyCluster } from '#test/proxy-cluster.ts'
import { modes } from '#test/proxy-modes.ts'
import { addresses } from '#test/proxy-topology.ts'

const hasSctp = () => existsSync('/proc/net/sctp') || readFileSync('/proc/net/protocols', 'utf8').includes('SCTP')
const programs = ['python3', 'ip', 'iptables', 'ip6tables', 'nft']
const skip = need({ root: true, programs }) || (hasSctp() ? false : 'needs SCTP (the module sctp)')

/** Answers each association with a name and the address that it came from. */
const server = `
import socket, sys, threading
def serve(family):
    s = socket.socket(family, socket.SOCK_STREAM, 132)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(('', 9000)); s.listen(50)
    while True:
        c, peer = s.accept()
        c.send((sys.argv[1] + ' ' + peer[0]).encode()); c.close()
for family in (socket.AF_INET, socket.AF_INET6): threading.Thread(target=serve, args=(family,)).start()
print('ready', flush=True)
`
const client = `
import socket, sys
host, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(times):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_STREAM, 132)
    s.settimeout(20)
    try:
        s.connect((host, port)); print(s.recv(100).decode())
    except Exception as error: print(error)
    s.close()
`

const inside = (netns: string, ...words: string[]) => ['netns', 'exec', basename(netns), 'python3', '-c', ...words]

async function serve(netns: string, name: string): Promise<ChildProcess> {
  const child = spawn('ip', inside(netns, server, name), { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

for (const mode of modes)
  test(
    `SCTP, ${mode.name}`,
    { skip: skip || (mode.name === 'ipvs' && need({ files: ['/proc/sys/net/ipv4/vs'] })) },
    async () => {
      await using cluster = await ProxyCluster.start(mode)
      const servers: ChildProcess[] = []
      try {
        for (const pod of ['a', 'b', 'c'] as const) servers.push(await serve(cluster.net[pod].netns, pod))
        const ports = [{ name: 'sctp', port: 90, protocol: 'SCTP', nodePort: 30090 }]
        await cluster.service('assoc', 90, { type: 'NodePort', ports })
        await cluster.endpoints('assoc', 'a b c', { ports: [{ name: 'sctp', port: 9000, protocol: 'SCTP' }] })
        for (const [from, host, port] of [
          ['b', 'fd00:96::90', 90],
          ['client', '10.96.0.90', 90],
          ['client', addresses.node1[4], 30090],
          ['client', addresses.node1[6], 30090],
        ] as const) {
          const words = inside(cluster.net[from].netns, client, host, String(port), '22')
          const answers = execFileSync('ip', words, { encoding: 'utf8' }).trim().split('\n')
          assert.ok(
            answers.every((answer) => /^[abc] /.test(answer)),
            `${from} to ${host}:${port}: ${answers.join(', ')}`,
          )
          // That it is always the same of three has chance 3^-21 < 1e-10.
          assert.ok(new Set(answers.map((answer) => answer[0])).size > 1, answers.join(', '))
        }
        await cluster.endpoints('assoc', 'c', { ports: [{ name: 'sctp', port: 9000, protocol: 'SCTP' }] })
        const words = inside(cluster.net.client.netns, client, '10.96.0.90', '90', '5')
        const answers = execFileSync('ip', words, { encoding: 'utf8' }).trim().split('\n')
        assert.ok(
          answers.every((answer) => answer.startsWith('c ')),
          answers.join(', '),
        )
      } finally {
        for (const child of servers) child.kill('SIGKILL')
      }
    },
  )
