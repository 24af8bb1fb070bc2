// Three machines on one segment: two that may answer for addresses, and one that asks. The asker's own kernel is the
// judge: its neighbour table says who answered.
import * as assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Announcer, startAnnouncer } from '#balancer/announce/announcer.ts'
import { heartbeatMs } from '#balancer/announce/election.ts'
import { etherTypes } from '#balancer/announce/frame.ts'
import { rankNodes } from '#balancer/announce/plan.ts'
import { systemClock } from '#daemon/clock.ts'
import { silentLog } from '#daemon/log.ts'
import { openPacketSocket } from '#kernel/packet-socket.ts'
import { encodeMac } from '#kernel/route/mac.ts'
import { createTopology, type Topology } from '#test/topology.ts'

const names = ['a', 'b'] as const
const macs = { a: '0a:58:00:00:00:0a', b: '0a:58:00:00:00:0b' } as const
const ips = Array.from({ length: 8 }, (_, i) => `10.9.0.${200 + i}`)
const wanted = [...ips, 'fd00:9::200'].map((ip) => ({ ip, nodes: names }))
const owner = (ip: string) => rankNodes({ ip, nodes: names })[0] as 'a' | 'b'
let net: Topology<'hub' | 'client' | 'a' | 'b'>
const announcers = new Map<string, Announcer>()

before(async () => {
  net = await createTopology(['hub', 'client', 'a', 'b'], (places) => {
    places.hub.route.addBridge({ name: 'lan', up: true, multicastSnooping: false })
    for (const [i, name] of (['client', ...names] as const).entries()) {
      const peer = name === 'client' ? { name: 'eth0', up: true } : { name: 'eth0', up: true, mac: macs[name] }
      places.hub.route.addVeth({ name: `to-${name}`, up: true, peer, peerNetns: places[name].netns })
      places.hub.route.setLink(`to-${name}`, { master: 'lan' })
      places[name].route.addAddress({ link: 'eth0', cidr: `10.9.0.${i + 1}/24` })
      places[name].route.addAddress({ link: 'eth0', cidr: `fd00:9::${i + 1}/64` })
    }
  })
  for (const name of names) announcers.set(name, start(name))
})
after(async () => {
  for (const announcer of announcers.values()) announcer[Symbol.dispose]()
  await net[Symbol.asyncDispose]()
})

function start(name: 'a' | 'b'): Announcer {
  const { route, netns } = net[name]
  const announcer = startAnnouncer({
    node: name,
    group: 1,
    link: route.link('eth0')!.index,
    mac: encodeMac(macs[name]),
    netns,
    clock: systemClock,
    log: silentLog,
    onEnd: () => assert.fail('the interface is there'),
  })
  announcer.want(wanted)
  return announcer
}

/** Who answers the client's kernel; asks it by a packet to nobody's port. */
async function answering(ip: string): Promise<string | undefined> {
  await net.client.connect({ host: ip, port: 9, protocol: 'udp', timeoutMs: 20 })
  return net.client.route.neighbours({ link: 'eth0' }).find((one) => one.ip === ip)?.mac
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await holds());) {
    if (Date.now() > end) throw new Error(`not in 30 seconds: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('each address has one answer, that of its owner, and both have a part', async () => {
  for (const { ip } of wanted) await until(ip, async () => (await answering(ip)) === macs[owner(ip)])
  for (const name of names)
    assert.deepEqual(
      [...announcers.get(name)!.owned].sort(),
      wanted
        .map(({ ip }) => ip)
        .filter((ip) => owner(ip) === name)
        .sort(),
    )
  assert.equal(new Set(ips.map((ip) => owner(ip))).size, 2)
  assert.equal(await answering('10.9.0.99'), undefined, "nobody answers for what is not the pool's")
})

test('where a node falls silent, its neighbour takes over and tells everyone', async () => {
  const lost = wanted.map(({ ip }) => ip).filter((ip) => owner(ip) === 'a')
  // Its cable is cut, so that it cannot say farewell.
  net.hub.route.setLink('to-a', { up: false })
  const known = (ip: string) => net.client.route.neighbours({ link: 'eth0' }).find((one) => one.ip === ip)?.mac
  // Nothing asks: the announcement alone corrects the neighbour table.
  for (const ip of lost) await until(ip, () => known(ip) === macs.b)
  net.hub.route.setLink('to-a', { up: true })
  for (const ip of lost)
    await until(`${ip} back`, async () => known(ip) === macs.a && !announcers.get('b')!.owned.has(ip))
})

test('one that leaves says so, and where nothing is wanted nothing is sent', async () => {
  let beats = 0
  using _ear = openPacketSocket({
    link: net.client.route.link('eth0')!.index,
    etherType: etherTypes.heartbeat,
    netns: net.client.netns,
    onFrame: () => void beats++,
    onEnd: () => undefined,
  })
  announcers.get('a')!.want([])
  await until('b has all', () => announcers.get('b')!.owned.size === wanted.length)
  announcers.get('b')!.want([])
  assert.equal(announcers.get('b')!.owned.size, 0)
  await until('both have said farewell', () => beats >= 2)
  const before = beats
  await new Promise((resolve) => setTimeout(resolve, 3 * heartbeatMs))
  assert.equal(beats, before)
  net.client.route.deleteNeighbour({ link: 'eth0', ip: ips[0]! })
  assert.equal(await answering(ips[0]!), undefined)
})
