// What came closest to matching, where nothing did.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { closestRules } from '#trace/closest.ts'
import { firstPacket } from '#trace/packet.ts'
import { readWorld } from '#trace/read/read-world.ts'
import { traceWorld } from '#trace/trace.ts'

const maps = `table ip t {
	map services {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 80 : drop,
			     10.96.0.1 . udp . 53 : drop,
			     10.96.0.2 . tcp . 80 : drop }
	}

	chain c {
		type filter hook prerouting priority filter; policy accept;
		ip daddr . meta l4proto . th dport vmap @services
	}
}
`

function closest(destination: string, destinationPort: number): readonly string[] {
  const { world } = readWorld([{ file: 'nft.txt', text: maps }])
  const packet = firstPacket({ protocol: 'tcp', source: '192.0.2.7', destination, destinationPort })
  return closestRules(world.machines, packet, traceWorld(world, { packet }))
}

test('closest: elements about the address and another port or protocol; the packet’s own element is none', () => {
  assert.deepEqual(closest('10.96.0.1', 81).length, 2)
  assert.match(closest('10.96.0.1', 81)[0]!, /10\.96\.0\.1 \. tcp \. 80.*it is not about 10\.96\.0\.1:81\/tcp/)
  assert.match(closest('10.96.0.1', 80).join('\n'), /^ip t services: 10\.96\.0\.1 \. udp \. 53[^\n]*$/)
  assert.deepEqual(closest('10.96.0.9', 80), [])
})
