// What is written for the kernel reads back the same: the kernel speaks of objects as it is spoken to about them.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIp } from '#lib/ip.ts'
import { formatCidr, parseCidr } from '#lib/cidr.ts'
import { decodeMessages, type Message } from '#kernel/netlink/message.ts'
import { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { decodeAddress, encodeAddress } from '#kernel/route/address.ts'
import { decodeRoute, encodeRoute } from '#kernel/route/ip-route.ts'
import { decodeLink, encodeNewLink } from '#kernel/route/link.ts'
import { encodeMac, formatMac } from '#kernel/route/mac.ts'
import { decodeForwarding, decodeNeighbour, encodeForwarding, encodeNeighbour } from '#kernel/route/neighbour.ts'
import { decodeRule, encodeRule } from '#kernel/route/rule.ts'
import { type Random, seeded } from '#test/random.ts'

function written(body: (writer: MessageWriter) => void): Message {
  const writer = new MessageWriter()
  writer.begin(16, 0)
  body(writer)
  return decodeMessages(writer.end().bytes)[0]!
}

function draw(random: Random) {
  const bytes = (length: number) => Uint8Array.from({ length }, () => random.integer(0, 255))
  const family = random.pick([4, 6] as const)
  const ip = () => formatIp(bytes(family === 4 ? 4 : 16))
  const network = () => formatCidr(parseCidr(`${ip()}/${random.integer(1, family === 4 ? 32 : 128)}`)!)
  const maybe = <T extends object>(part: T): Partial<T> => (random.integer(0, 1) === 0 ? part : {})
  return { family, ip, network, maybe, mac: () => formatMac(bytes(6)), number: () => random.integer(1, 0x7fffffff) }
}

test('routes, rules, addresses, neighbours and forwarding entries of both families', () => {
  for (let seed = 0; seed < 200; seed++) {
    const { family, ip, network, maybe, mac, number } = draw(seeded(seed))
    const route = {
      destination: network(),
      ...maybe({ via: ip() }),
      ...maybe({ link: number() }),
      ...maybe({ source: ip() }),
      ...maybe({ metric: number(), mtu: number() }),
    }
    const {
      table,
      type,
      scope: _scope,
      protocol,
      onlink,
      ...decoded
    } = decodeRoute(written((w) => encodeRoute(w, route)))!
    assert.deepEqual(decoded, { ...route, family }, `route, seed ${seed}`)
    assert.deepEqual({ table, type, protocol, onlink }, { table: 254, type: 'unicast', protocol: 3, onlink: false })

    const rule = {
      family,
      priority: number(),
      table: number(),
      ...maybe({ from: network() }),
      ...maybe({ to: network() }),
      ...maybe({ incoming: 'cni0' }),
      ...maybe({ mark: { value: number(), mask: number() } }),
    }
    assert.deepEqual(decodeRule(written((w) => encodeRule(w, rule))), rule, `rule, seed ${seed}`)

    const [address, prefix] = [ip(), family === 4 ? 24 : 64]
    assert.deepEqual(
      decodeAddress(written((w) => encodeAddress(w, 3, { cidr: `${address}/${prefix}` }))),
      { link: 3, family, ip: address, prefix, scope: 'global', tentative: false },
      `address, seed ${seed}`,
    )

    const neighbour = { link: number(), ip: ip(), mac: mac() }
    assert.deepEqual(
      decodeNeighbour(written((w) => encodeNeighbour(w, neighbour))),
      { ...neighbour, family, permanent: true, state: 128 },
      `neighbour, seed ${seed}`,
    )

    const entry = { link: number(), mac: mac(), ...maybe({ destination: ip() }) }
    assert.deepEqual(
      decodeForwarding(written((w) => encodeForwarding(w, entry))),
      { ...entry, permanent: true, self: true },
      `forwarding entry, seed ${seed}`,
    )
  }
})

test('a vxlan as it is asked for', () => {
  const vxlan = { id: 7, port: 8472, local: 'fd00::1', device: 3, learning: false }
  const link = {
    kind: 'vxlan',
    name: 'flannel.7',
    mac: '02:00:00:00:00:07',
    mtu: 1430,
    up: true,
    master: 5,
    vxlan,
  } as const
  const { name, kind, mac, mtu, up, master, vxlan: read } = decodeLink(written((w) => encodeNewLink(w, link, () => 9)))
  assert.deepEqual({ kind, name, mac, mtu, up, master, vxlan: read }, link)
})

test('hardware addresses', () => {
  assert.equal(formatMac(encodeMac('0A:58:0a:f4:00:02')), '0a:58:0a:f4:00:02')
  for (const text of ['', '0a:58:0a:f4:00', '0a:58:0a:f4:00:02:03', 'xx:58:0a:f4:00:02'])
    assert.throws(() => encodeMac(text), TypeError)
})

test('what cannot be is refused before the kernel sees it', () => {
  const writer = new MessageWriter()
  assert.throws(() => encodeRoute(writer, { destination: '10.0.0.0/33' }), /not a network|of which family/)
  assert.throws(() => encodeRoute(writer, { destination: 'default' }), /of which family/)
  assert.throws(() => encodeAddress(writer, 1, { cidr: 'x/24' }), /not an address/)
  assert.throws(() => encodeNeighbour(writer, { link: 1, ip: '10.0.0' }), /not an address/)
})
