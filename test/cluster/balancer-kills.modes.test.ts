// The service controller with the pool is killed at random moments while Services come, change their type and go: in the
// end each has an address of its own, and what is no load balancer any more has neither address nor finalizer.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodes, services } from '#api/core.ts'
import { KilledPart, killNowAndThen, startServer } from '#test/killed-part.ts'
import { need } from '#test/need.ts'
import { seeded } from '#test/random.ts'
import { until } from '#test/until.ts'

const skip = need({})
const rounds = process.env['FAIRWAY_SOAK'] ? 300 : 20
const folder = mkdtempSync(join(tmpdir(), 'fairway-balancer-kills-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const namespace = 'default'
const finalizer = 'service.kubernetes.io/load-balancer-cleanup'

test(
  'kills of the balancer: every Service has its own address, and nothing stays behind',
  { skip, timeout: 600_000 },
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9))
    t.diagnostic(`SEED=${seed}`)
    const random = seeded(seed)
    await using server = await startServer(folder)
    const { client, kubeconfig } = server
    await client.create(nodes, { metadata: { name: 'node-1' } })
    const pool = ['--address-pool', '192.0.2.200-192.0.2.211', '--health-address', '0']
    await using balancer = new KilledPart(['balancer', '--kubeconfig', kubeconfig, ...pool])

    const types = new Map<string, 'LoadBalancer' | 'ClusterIP'>()
    let made = 0
    const balanced = () => [...types.values()].filter((type) => type === 'LoadBalancer').length
    const act = async () => {
      for (let i = 0; i < 2 && balanced() < 12; i++) {
        const name = `service-${made++}`
        types.set(name, 'LoadBalancer')
        const spec = { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80 }] }
        await client.create(services, { metadata: { name, namespace }, spec })
      }
      const [name, type] = random.pick([...types])
      if (random.next() < 0.4) {
        types.delete(name)
        await client.delete(services, name, { namespace })
        return
      }
      if (type === 'ClusterIP' && balanced() >= 12) return
      const next = type === 'LoadBalancer' ? 'ClusterIP' : 'LoadBalancer'
      types.set(name, next)
      await client.patch(services, name, { spec: { type: next } }, { type: 'merge', namespace })
    }
    await killNowAndThen([balancer], { random, rounds, act })

    await until(async () => {
      const { items } = await client.list(services, { namespace })
      const own = items.filter(({ metadata }) => metadata?.name !== 'kubernetes')
      const what = `SEED=${seed}\n${balancer.said}`
      assert.deepEqual(own.map(({ metadata }) => metadata!.name).sort(), [...types.keys()].sort(), what)
      const addresses: string[] = []
      for (const { metadata, spec, status } of own) {
        const ips = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '')
        const isBalanced = spec?.type === 'LoadBalancer'
        assert.equal(ips.length, isBalanced ? 1 : 0, `${metadata?.name} ${what}`)
        assert.equal(metadata?.finalizers?.includes(finalizer) ?? false, isBalanced, `${metadata?.name} ${what}`)
        addresses.push(...ips)
      }
      assert.equal(new Set(addresses).size, addresses.length, what)
    })
  },
)
