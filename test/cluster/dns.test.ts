// The cluster's names from pods, in the default mode; then DNS by the manifest for other clusters, and its pods killed.
import * as assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { testNames } from '#test/cluster/dns-cases.ts'
import type { LiveCluster } from '#test/cluster/live-cluster.ts'
import { kubeadmCorefile } from '#test/kubeadm-corefile.ts'
import { until } from '#test/until.ts'

const system = ['-n', 'kube-system'] as const
const name = 'web.default.svc.cluster.local'
const address = '10.96.77.1'
const selector = 'app=fairway-dns'

testNames('dns', [], (cluster, skip) => {
  test('dns: deploy/dns.yaml takes the place of the DNS that is there', { skip }, async () => {
    const live = cluster()
    // The resolv.conf of this machine leads nowhere here, and may lead back: a server that refuses is one, too.
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'coredns', namespace: 'kube-system' } }
    const text = kubeadmCorefile.replace('/etc/resolv.conf', '192.0.2.1')
    const applied = live.tryKubectl(['apply', '-f', '-'], JSON.stringify({ ...config, data: { Corefile: text } }))
    assert.equal(applied.status, 0, applied.stderr)
    live.kubectl('apply', '-f', 'deploy/dns.yaml')
    live.kubectl(...system, 'rollout', 'status', 'deployment/fairway-dns', '--timeout=30s')
    live.kubectl(...system, 'scale', 'deployment/kube-dns', '--replicas=0')
    await until(() => assert.deepEqual(servers(live), podIps(live)))
    assert.equal(live.sh('pod/looker', `dig +short ${name}`).text, address)
    assert.match(live.sh('pod/looker', 'nslookup kubernetes.default').text, /Address: 10\.96\.0\.1/)
    const [ip] = podIps(live)
    const metrics = live.sh('pod/looker', `curl -s -m 5 http://${ip}:9153/metrics`).text
    assert.match(metrics, /^coredns_plugin_enabled\{server="dns:\/\/:53",zone="\.",view="",name="kubernetes"\} 1$/m)
  })

  test(
    'dns: a pod of it is killed under load: names are found all the same',
    { skip, timeout: 120_000 },
    async (context) => {
      const live = cluster()
      // Each query from a port of its own, asked once: what is lost is seen.
      const asks = `: >/tmp/asked; rm -f /tmp/enough; for n in 1 2; do (
      while [ ! -e /tmp/enough ]; do
        if dig +short +tries=1 +time=1 ${name} | grep -qx ${address}; then echo found; else echo lost; fi >>/tmp/asked
      done) >/dev/null 2>&1 & done`
      live.sh('pod/looker', asks)
      const asked = () => live.sh('pod/looker', 'cat /tmp/asked').text.split('\n')
      const enough = async (more: number) => {
        const before = asked().length
        await until(() => assert.ok(asked().length >= before + more))
      }
      try {
        await enough(50)
        for (const ip of podIps(live)) {
          const pid = await until(() => processOf(live, ip))
          process.kill(pid, 'SIGKILL')
          // A resolver that asks a second time finds the name whatever moment it is.
          for (let i = 0; i < 5; i++)
            assert.equal(live.sh('pod/looker', `dig +short +tries=5 +time=1 ${name} | tail -1`).text, address)
          await until(() => assert.notEqual(processOf(live, ip), pid))
          await until(() => assert.equal(servers(live).length, 2))
        }
        await enough(50)
      } finally {
        live.sh('pod/looker', 'touch /tmp/enough')
      }
      const all = asked()
      const lost = all.filter((line) => line === 'lost').length
      context.diagnostic(`${lost} of ${all.length} single queries were lost in two kills`)
      assert.deepEqual(
        all.slice(-20).filter((line) => line !== 'found'),
        [],
      )
      // Half of those that are asked between the death and the rules that know of it, at the most.
      assert.ok(lost * 4 < all.length, `${lost} of ${all.length} queries were lost`)
    },
  )
})

const podIps = (live: LiveCluster) =>
  live
    .kubectl(...system, 'get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].status.podIP}')
    .split(' ')
    .toSorted()

/** Whom the Service sends queries to. */
const servers = (live: LiveCluster) =>
  live
    .value('.subsets[*].addresses[*].ip', ...system, 'endpoints', 'kube-dns')
    .split(' ')
    .filter(Boolean)
    .toSorted()

/** The process of this cluster's DNS server with this address. Several clusters on one machine have equal addresses. */
function processOf(live: LiveCluster, ip: string): number {
  const pid = readdirSync('/proc').find(
    (entry) =>
      /^\d+$/.test(entry) &&
      read(`/proc/${entry}/cmdline`).includes('\0dns\0--conf\0/etc/coredns/Corefile') &&
      read(`/proc/${entry}/mountinfo`).includes(`/${live.name}/`) &&
      read(`/proc/${entry}/net/fib_trie`).includes(`${ip}\n`),
  )
  assert.ok(pid !== undefined, `no DNS server has ${ip}`)
  return Number(pid)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
