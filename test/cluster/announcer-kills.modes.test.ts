// Nodes' processes (and with them their announcers) and the control plane are killed at random moments: each time the
// address of a load balancer is answered for again by one node, before anybody starts anything; and in the end by its own.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['kubectl', 'conmon', 'crun', 'curl'] })
const rounds = process.env['FAIRWAY_SOAK'] ? 60 : 6
let live: LiveCluster
before(() => {
  if (skip === false) live = new LiveCluster('announcer-kills', ['-f', 'examples/load-balancer.yaml'])
})
after(() => live?.down())

const hosts = ['node-1', 'node-2', 'node-3', 'control-plane']
const pidOf = (host: string) => Number(new RegExp(`^${host} +(\\d+)`, 'm').exec(live.fairway('status').stdout)?.[1])

test(
  'an address has a node that answers whoever is killed, and is its own again',
  { skip, timeout: 300_000 },
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
    t.diagnostic(`SEED=${seed}`)
    const random = seeded(seed)
    const ip = live.value('.status.loadBalancer.ingress[0].ip', 'service', 'hostnames-lb')
    const answer = () => live.sh('client', `curl -s -m 2 http://${ip}/`).text
    /** The hardware address that the router has for it, once it was asked anew. */
    const answerer = () => {
      live.sh('router', `ip neigh flush to ${ip}; ping -c 1 -W 1 ${ip}`)
      return live.sh('router', `ip neigh show ${ip} | grep -o 'lladdr [^ ]*'`).text
    }
    const first = await until(() => {
      assert.match(answer(), /^hostnames-lb-/)
      return answerer()
    })
    for (let round = 0; round < rounds; round++) {
      const host = random.pick(hosts)
      const pid = pidOf(host)
      assert.ok(pid > 0, `SEED=${seed} ${host}: ${live.fairway('status').stdout}`)
      await sleep(random.integer(0, 1000))
      process.kill(pid, 'SIGKILL')
      // The rules of a node outlive its process, and so does what it forwards.
      await until(() => assert.match(answer(), /^hostnames-lb-/, `SEED=${seed} round ${round} ${host}`))
      await sleep(random.integer(0, 1000))
      const started = live.fairway('up')
      assert.equal(started.status, 0, `SEED=${seed} round ${round} ${host}: ${started.stderr}`)
      await until(() => assert.match(answer(), /^hostnames-lb-/, `SEED=${seed} round ${round} ${host}`))
    }
    await until(() => assert.equal(answerer(), first, `SEED=${seed}`))
    assert.equal(live.value('.status.loadBalancer.ingress[0].ip', 'service', 'hostnames-lb'), ip)
  },
)
