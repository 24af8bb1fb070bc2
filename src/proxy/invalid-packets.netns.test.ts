// A packet outside of a connection's window, which connection tracking does not know and does not translate: where it gets
// through, the client sees a stranger's packet and its answer ends the server's connection
// (Kubernetes' test "proxy implementation should not be vulnerable to the invalid conntrack state bug").
import * as assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { writeSysctls } from '#kernel/sysctl.ts'
import { need } from '#test/need.ts'
import { ProxyCluster } from '#test/proxy-cluster.ts'
import { modes } from '#test/proxy-modes.ts'

const skip = need({ root: true, programs: ['python3', 'ip', 'iptables', 'ip6tables'] })

/** Reads its numbers out of the kernel (TCP_REPAIR), sends a packet far ahead of them by hand, and serves on. */
const server = `
import socket, struct, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 9000)); s.listen(1); print('ready', flush=True)
c, peer = s.accept(); c.recv(10)
def number(queue):
    c.setsockopt(socket.IPPROTO_TCP, 20, queue)
    return struct.unpack('I', c.getsockopt(socket.IPPROTO_TCP, 21, 4))[0]
c.setsockopt(socket.IPPROTO_TCP, 19, 1); sent, seen = number(2), number(1); c.setsockopt(socket.IPPROTO_TCP, 19, -1)
def checksum(data):
    if len(data) % 2: data += b'\\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def tcp(sum): return struct.pack('!HHIIBBHHH', 9000, peer[1], (sent + 0x20000000) & 0xffffffff, seen, 5 << 4, 0x18, 500, sum, 0) + b'boom'
ends = socket.inet_aton(c.getsockname()[0]) + socket.inet_aton(peer[0])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.sendto(tcp(checksum(ends + struct.pack('!BBH', 0, 6, 24) + tcp(0))), (peer[0], 0))
time.sleep(0.3)
try:
    c.send(b'go'); c.send(c.recv(10)); print('still', flush=True)
except OSError: print('reset', flush=True)
c.close()
`
const client = `
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 30); s.settimeout(30)
s.send(b'hello'); s.recv(2); s.send(b'still'); print(s.recv(10).decode())
`
const inside = (netns: string, ...words: string[]) => ['netns', 'exec', basename(netns), 'python3', '-c', ...words]

/** Answers the next line each time; undefined at the end. */
function linesOf(input: Readable): () => Promise<string | undefined> {
  const lines = createInterface({ input })[Symbol.asyncIterator]()
  return async () => (await lines.next()).value as string | undefined
}

/** nftables mode leaves it to the parameter, as kube-proxy does. */
const cases = [
  ['iptables (nft)', false, 'still'],
  ['iptables (legacy)', false, 'still'],
  ['nftables', true, 'still'],
  ['nftables', false, 'reset'],
] as const

for (const [name, liberal, want] of cases)
  test(
    `a packet out of the window, ${name}${liberal ? ', --conntrack-tcp-be-liberal' : ''}: ${want}`,
    { skip },
    async () => {
      await using cluster = await ProxyCluster.start(modes.find((mode) => mode.name === name)!)
      for (const node of ['node1', 'node2'] as const)
        writeSysctls({ 'net/netfilter/nf_conntrack_tcp_be_liberal': liberal ? 1 : 0 }, cluster.net[node].netns)
      await cluster.service('boom', 70, { ports: [{ name: 'tcp', port: 80, protocol: 'TCP' }] })
      await cluster.endpoints('boom', 'c', { ports: [{ name: 'tcp', port: 9000, protocol: 'TCP' }] })
      let connected: ChildProcessByStdio<null, Readable, null> | undefined
      const serving = spawn('ip', inside(cluster.net.c.netns, server), { stdio: ['ignore', 'pipe', 'inherit'] })
      try {
        const served = linesOf(serving.stdout)
        assert.equal(await served(), 'ready')
        connected = spawn('ip', inside(cluster.net.a.netns, client, '10.96.0.70'), {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        assert.equal(await served(), want)
        if (want === 'still') assert.equal(await linesOf(connected.stdout)(), 'still')
      } finally {
        serving.kill('SIGKILL')
        connected?.kill('SIGKILL')
      }
    },
  )
