import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpRoute } from '#kernel/route/ip-route.ts'
import type { FamilyPlan, PlannedRoute } from '#flannel/backend.ts'
import { diffNetwork, type Observed, type OwnRoute, type Step } from '#flannel/diff.ts'

const planned = (destination: string, via: string, link = 'eth0'): PlannedRoute => ({
  destination,
  via,
  link,
  onlink: link !== 'eth0',
})
const there = (destination: string, via: string | undefined, link: number, metric?: number): IpRoute => ({
  family: 4,
  destination,
  link,
  table: 254,
  scope: 0,
  protocol: 3,
  type: 'unicast',
  onlink: false,
  ...(via !== undefined && { via }),
  ...(metric !== undefined && { metric }),
})
const own = (destination: string, via: string, link = 'eth0'): OwnRoute => ({ destination, via, link })
const plan = (routes: readonly PlannedRoute[], more: Partial<FamilyPlan> = {}): FamilyPlan => ({
  family: 4,
  routes,
  neighbours: [],
  forwarding: [],
  problems: [],
  ...more,
})
const observed = (routes: readonly IpRoute[], more: Partial<Observed> = {}): Observed => ({
  routes,
  neighbours: [],
  forwarding: [],
  indexes: new Map([
    ['eth0', 2],
    ['flannel.1', 9],
  ]),
  ...more,
})
const text = (step: Step): string => {
  switch (step.kind) {
    case 'set-route':
      return `set ${step.route.destination} via ${step.route.via}${step.isRepair ? ' again' : ''}${step.inPlaceOf ? ` for ${step.inPlaceOf.via}` : ''}`
    case 'delete-route':
      return `delete ${step.route.destination} via ${step.route.via}${step.isThere ? '' : ' (gone)'}`
    case 'set-forwarding':
      return `entry ${step.mac} ${step.destination}`
    case 'set-neighbour':
      return `neighbour ${step.ip} ${step.mac}`
    case 'delete-neighbour':
      return `no neighbour ${step.ip}`
    case 'delete-forwarding':
      return `no entry ${step.mac}`
  }
}

test('diff: routes', () => {
  const a = planned('10.244.1.0/24', '10.168.0.3')
  const cases: readonly (readonly [string, PlannedRoute[], IpRoute[], OwnRoute[], string[]])[] = [
    ['nothing there', [a], [], [], ['set 10.244.1.0/24 via 10.168.0.3']],
    ['all there', [a], [there('10.244.1.0/24', '10.168.0.3', 2)], [own('10.244.1.0/24', '10.168.0.3')], []],
    ['there, though set by another', [a], [there('10.244.1.0/24', '10.168.0.3', 2)], [], []],
    ['taken away', [a], [], [own('10.244.1.0/24', '10.168.0.3')], ['set 10.244.1.0/24 via 10.168.0.3 again']],
    [
      'the peer has another address',
      [a],
      [there('10.244.1.0/24', '10.168.0.9', 2)],
      [own('10.244.1.0/24', '10.168.0.9')],
      ['set 10.244.1.0/24 via 10.168.0.3'],
    ],
    [
      "another program's route to the same range",
      [a],
      [there('10.244.1.0/24', '10.168.0.9', 2)],
      [],
      ['set 10.244.1.0/24 via 10.168.0.3 for 10.168.0.9'],
    ],
    [
      'one of another metric does not compete',
      [a],
      [there('10.244.1.0/24', '10.168.0.9', 2, 100)],
      [],
      ['set 10.244.1.0/24 via 10.168.0.3'],
    ],
    [
      'the peer is gone',
      [],
      [there('10.244.1.0/24', '10.168.0.3', 2)],
      [own('10.244.1.0/24', '10.168.0.3')],
      ['delete 10.244.1.0/24 via 10.168.0.3'],
    ],
    [
      'the peer is gone and its route too',
      [],
      [],
      [own('10.244.1.0/24', '10.168.0.3')],
      ['delete 10.244.1.0/24 via 10.168.0.3 (gone)'],
    ],
    [
      'routes of others stay, in the network too',
      [],
      [
        there('10.244.7.0/24', '10.168.0.3', 2),
        there('default', '10.168.0.1', 2),
        there('10.244.0.0/24', undefined, 5),
      ],
      [own('10.244.7.0/24', '10.168.0.8')],
      ['delete 10.244.7.0/24 via 10.168.0.8 (gone)'],
    ],
    [
      'from a tunnel to a direct route',
      [a],
      [there('10.244.1.0/24', '10.244.1.0', 9)],
      [own('10.244.1.0/24', '10.244.1.0', 'flannel.1')],
      ['set 10.244.1.0/24 via 10.168.0.3', 'delete 10.244.1.0/24 via 10.244.1.0'],
    ],
  ]
  for (const [name, routes, found, owned, want] of cases) {
    const steps = diffNetwork(plan(routes), observed(found), owned).map(text)
    assert.deepEqual(steps, want, name)
  }
})

test('diff: entries come before the routes that use them, and go after them', () => {
  const [b, c] = ['aa:aa:aa:aa:aa:02', 'aa:aa:aa:aa:aa:03']
  const device = {
    kind: 'vxlan',
    checksumOffload: true,
    name: 'flannel.1',
    id: 1,
    port: 8472,
    learning: false,
    below: 'eth0',
    local: '10.168.0.2',
    mac: 'aa:aa:aa:aa:aa:01',
    mtu: 1450,
    address: '10.244.0.0/32',
  } as const
  const steps = diffNetwork(
    plan([planned('10.244.1.0/24', '10.244.1.0', 'flannel.1')], {
      device,
      neighbours: [{ ip: '10.244.1.0', mac: b }],
      forwarding: [{ mac: b, destination: '10.168.0.3' }],
    }),
    observed([there('10.244.2.0/24', '10.244.2.0', 9)], {
      neighbours: [{ family: 4, link: 9, ip: '10.244.2.0', mac: c, permanent: true, state: 0x80 }],
      forwarding: [{ link: 9, mac: c, destination: '10.168.0.4', permanent: true, self: true }],
    }),
    [],
  )
  assert.deepEqual(steps.map(text), [
    `entry ${b} 10.168.0.3`,
    `neighbour 10.244.1.0 ${b}`,
    'set 10.244.1.0/24 via 10.244.1.0',
    'delete 10.244.2.0/24 via 10.244.2.0',
    'no neighbour 10.244.2.0',
    `no entry ${c}`,
  ])
})
