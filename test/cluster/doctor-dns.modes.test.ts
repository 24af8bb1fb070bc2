// The servers that the cluster's DNS asks about names outside: what nodes hand on to its pods, what its Corefile says, and who
// answers in truth.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { examine, headlines, untilHealthy } from '#test/cluster/doctor-faults.ts'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'nft', 'iptables', 'conntrack'] })
const map = 'configmap/kube-system/kube-dns'
const nodes = ['node-1', 'node-2']
const client = '203.0.113.10'
let live: LiveCluster
let corefile = ''

before(() => {
  if (skip !== false) return
  live = new LiveCluster('doctor-dns', ['--nodes', '2', '-f', 'examples/hostnames.yaml'])
  corefile = live.value('.data.Corefile', '-n', 'kube-system', 'configmap', 'kube-dns')
})
after(() => live?.down())

const system = (...words: readonly string[]) => live.kubectl('-n', 'kube-system', ...words)

function write(text: string): void {
  system('patch', 'configmap', 'kube-dns', '--type=merge', '-p', JSON.stringify({ data: { Corefile: text } }))
}

const restart = () => system('rollout', 'restart', 'deployment/kube-dns')

/** Nodes get another resolv.conf, and pods of the DNS that start then have it. */
function withResolvConf(text: string): Disposable {
  for (const node of nodes) {
    const { status, text: said } = live.sh(
      `node/${node}`,
      `printf '${text}' >/run/resolv.test; mount --bind /run/resolv.test /etc/resolv.conf`,
    )
    assert.equal(status, 0, said)
  }
  restart()
  return {
    [Symbol.dispose]: () => {
      for (const node of nodes) live.sh(`node/${node}`, 'umount /etc/resolv.conf')
      restart()
    },
  }
}

for (const [name, text, code, evidence] of [
  [
    'only the stub of systemd-resolved',
    'nameserver 127.0.0.53\\n',
    'DnsLoop',
    /resolv\.conf: nameserver 127\.0\.0\.53/,
  ],
  ['no server', '# nothing\\n', 'DnsUpstreamMissing', /resolv\.conf: no nameserver/],
  ['an address that nobody has', 'nameserver 10.244.0.250\\n', 'DnsUpstreamFails', /nobody on cni0 has the address/],
] as const)
  test(`resolv.conf of the nodes: ${name}`, { skip, timeout: 120_000 }, async () => {
    {
      using _ = withResolvConf(text)
      await until(() => {
        const { findings } = examine(live)
        assert.equal(findings[0]?.code, code, headlines(findings))
        assert.equal(findings[0].about, map)
        assert.match(findings[0].evidence.join('\n'), evidence)
        // What does not come up for that reason is no root cause.
        assert.deepEqual(findings.slice(1), [])
      })
    }
    await untilHealthy(live)
  })

test('a Corefile that pods do not start with', { skip, timeout: 120_000 }, async () => {
  write(corefile.replace('cache 30', 'cache 30 {'))
  restart()
  await until(() =>
    assert.match(
      headlines(examine(live).findings),
      /^CorefileBroken \S+\n {2}PodsNotReady svc\/kube-system\/kube-dns$/,
    ),
  )
  write(corefile)
  restart()
  await untilHealthy(live)
})

test(
  'a stub domain whose server is silent is found by asking it, and healthy once it answers',
  {
    skip,
    timeout: 120_000,
  },
  async (t) => {
    write(`example.org:53 {\n    forward . ${client}\n}\n${corefile}`)
    const silent = () => examine(live, '--probe').findings
    assert.equal(headlines(silent()), `DnsUpstreamFails ${map}, example.org`)
    // Any answer will do.
    const echo = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${client}", 53))
while True:
    bytes, who = s.recvfrom(512); s.sendto(bytes[:2] + b"\\x80\\x05" + bytes[4:], who)`
    live.sh('client', `setsid python3 -c '${echo}' >/dev/null 2>&1 </dev/null & echo $! >/tmp/echo-${live.name}`)
    t.after(() => live.sh('client', `kill $(cat /tmp/echo-${live.name}); rm /tmp/echo-${live.name}`))
    await until(() => assert.equal(headlines(silent()), ''))
    write(corefile)
  },
)
