// Whatever happens to Services and slices, writing only the differences leaves what writing everything would.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { outline } from '#proxy/iptables/found.ts'
import type { Jump } from '#proxy/iptables/frame.ts'
import type { RenderOptions } from '#proxy/iptables/render-options.ts'
import { renderChange, renderWhole } from '#proxy/iptables/restore-text.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type NodePlace, viewService, viewSlice } from '#proxy/state.ts'
import { applyRestore, comparable, untouched } from '#test/iptables-text.ts'
import { chance, randomService, randomSlice, some } from '#test/random-services.ts'
import { seeded } from '#test/random.ts'

const node: NodePlace = {
  name: 'node-1',
  zone: 'zone-1',
  ips: { 4: '10.168.0.2', 6: 'fd00:168::2' },
}
const options: RenderOptions = {
  family: 4,
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  local: { kind: 'cidr', cidr: '10.244.0.0/16' },
  localhostNodePorts: true,
  nodePortIps: 'all',
  randomFully: true,
  conntrackLiberal: false,
  counters: true,
  large: false,
}
const nothing = { hasJump: () => false, rulesOf: () => undefined, serviceChains: [] }

for (let seed = 1; seed <= 20; seed++)
  test(`differences add up to the whole, seed ${seed}`, () => {
    const random = seeded(seed)
    const family = random.pick([4, 6] as const)
    const own: RenderOptions = { ...options, family, large: chance(random, 0.3) }
    const services = new Map<number, ReturnType<typeof viewService>>()
    const slices = new Map<string, ReturnType<typeof viewSlice>>()
    const plans = new Map<number, readonly PortPlan[]>()
    const all = () => [...plans.values()].flat()
    const kernel = applyRestore(renderWhole([], own, nothing).text, untouched())
    for (let step = 0; step < 60; step++) {
      const touched = some(random, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], random.pick([0.05, 0.1, 0.9]))
      const before = touched.flatMap((i) => plans.get(i) ?? [])
      for (const i of touched) {
        if (chance(random, 0.5))
          services.set(i, chance(random, 0.8) ? viewService(randomService(random, i)) : undefined)
        const which = random.integer(0, 1)
        slices.set(`${i}-${which}`, chance(random, 0.8) ? viewSlice(randomSlice(random, i, which)) : undefined)
        const service = services.get(i)
        const its = [0, 1].flatMap((n) => slices.get(`${i}-${n}`) ?? [])
        plans.set(i, service === undefined ? [] : planService(service, its, family, node))
      }
      const after = touched.flatMap((i) => plans.get(i)!)
      applyRestore(renderChange(before, after, all, own).text, kernel)
      const whole = applyRestore(renderWhole(all(), own, nothing).text, untouched())
      assert.deepEqual(comparable(kernel), comparable(whole), `step ${step}`)
    }
  })

test('a change that changes nothing writes nothing', () => {
  const service = viewService(randomService(seeded(1), 1))!
  const plans = planService(service, [], 4, node)
  assert.equal(renderChange(plans, plans, () => plans, options).text, '')
})

test('what is refused is refused before table nat changes, and until it has', () => {
  const metadata = { namespace: 'demo', name: 'web' }
  const service = viewService({ metadata, spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }] } })!
  const slice = viewSlice({
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: [{ addresses: ['10.244.0.9'] }],
  })!
  const [without, withOne] = [planService(service, [], 4, node), planService(service, [slice], 4, node)]
  const order = (before: readonly PortPlan[], after: readonly PortPlan[]) =>
    renderChange(before, after, () => after, options)
      .text.split('\n')
      .filter((line) => /^\*|REJECT/.test(line))
      .map((line) => line.replace(/ .*/, ''))
  assert.deepEqual(order(without, withOne), ['*nat', '*filter', '-D'])
  assert.deepEqual(order(withOne, without), ['*filter', '-A', '*nat'])
})

test('everything again: jumps that are there stay, chains of Services that are gone go', () => {
  const kernel = applyRestore(renderWhole([], options, nothing).text, untouched())
  kernel.get('nat')!.set('KUBE-SEP-GONE', ['-s 10.244.0.9/32 -j KUBE-MARK-MASQ'])
  kernel.get('filter')!.set('KUBE-FIREWALL', ['-j DROP'])
  kernel.get('filter')!.get('INPUT')!.unshift('-j ACCEPT')
  const found = {
    hasJump: (jump: Jump) => kernel.get(jump.table)!.get(jump.from)!.includes(jump.rule),
    rulesOf: (table: string, chain: string) =>
      kernel
        .get(table)!
        .get(chain)
        ?.map((rule) => `-A ${chain} ${rule}\n`)
        .join(''),
    serviceChains: ['KUBE-SEP-GONE'],
  }
  applyRestore(renderWhole([], { ...options, localhostNodePorts: false }, found).text, kernel)
  assert.equal(kernel.get('nat')!.has('KUBE-SEP-GONE'), false)
  assert.deepEqual(kernel.get('filter')!.get('KUBE-FIREWALL'), ['-j DROP'], "the kubelet's own rule")
  assert.equal(kernel.get('filter')!.get('INPUT')!.length, 1 + 4 + 0)
  assert.equal(kernel.get('filter')!.get('INPUT')![0], '-j ACCEPT')
})

test('everything again: what is as it should be is not written again', () => {
  const plans = [1, 2, 3, 4].flatMap((i) => planService(viewService(randomService(seeded(i), i))!, [], 4, node))
  const kernel = applyRestore(renderWhole(plans, options, nothing).text, untouched())
  const dump = (table: 'mangle' | 'filter' | 'nat') => {
    const chains = [...kernel.get(table)!]
    const rules = chains.flatMap(([chain, list]) => list.map((rule) => `-A ${chain} ${rule}\n`))
    return `*${table}\n${chains.map(([chain]) => `:${chain} - [0:0]\n`).join('')}${rules.join('')}COMMIT\n`
  }
  const found = () => outline({ mangle: dump('mangle'), filter: dump('filter'), nat: dump('nat') })
  assert.equal(renderWhole(plans, options, found()).text, '')
  kernel.get('filter')!.get('KUBE-SERVICES')!.reverse()
  assert.equal(renderWhole(plans, options, found()).text, '', 'the order of Services does not matter')
  kernel.get('nat')!.get('KUBE-SERVICES')!.unshift('-j RETURN')
  kernel.get('filter')!.get('KUBE-FORWARD')!.pop()
  const { text } = renderWhole(plans, options, found())
  assert.deepEqual(text.match(/^:\S+/gm), [':KUBE-FORWARD', ':KUBE-SERVICES'])
  applyRestore(text, kernel)
  assert.equal(renderWhole(plans, options, found()).text, '')
})
