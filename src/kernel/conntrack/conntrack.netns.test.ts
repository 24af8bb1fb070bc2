import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { deleteFlows, listFlows } from '#kernel/conntrack/conntrack.ts'
import { STATUS } from '#kernel/conntrack/flow.ts'
import { need } from '#test/need.ts'

const make = (protocol: string, source: string, destination: string, to: string) => {
  const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : []
  const words = `-I -p ${protocol} -s ${source} -d ${destination} --sport 1000 --dport 53 --dst-nat ${to} --timeout 60`
  execFileSync('conntrack', [...words.split(' '), ...state], { stdio: 'ignore' })
}

for (const [family, source, other, destination, to] of [
  [4, '10.0.0.1', '10.0.0.2', '10.96.0.10', '10.244.0.2'],
  [6, 'fd00::1', 'fd00::2', 'fd00:96::10', 'fd00:244::2'],
] as const)
  test(`connections: list, delete one, IPv${family}`, { skip: need({ root: true, programs: ['conntrack'] }) }, () => {
    make('udp', source, destination, to)
    make('udp', other, destination, to)
    make('tcp', source, destination, to)
    const flows = listFlows(family, 17)
    assert.equal(flows.length, 2)
    const mine = flows.find(({ original }) => original.source === source)!
    assert.deepEqual(mine.original, { source, destination, protocol: 17, sourcePort: 1000, destinationPort: 53 })
    assert.equal(mine.reply.source, to)
    assert.ok(mine.status & STATUS.destinationNat)
    assert.equal(deleteFlows(family, [{ ...mine, id: mine.id + 1 }]), 0, 'another flow of the same tuple')
    assert.equal(deleteFlows(family, [mine]), 1)
    assert.equal(deleteFlows(family, [mine]), 0)
    assert.deepEqual(
      listFlows(family, 17).map(({ original }) => original.source),
      [other],
    )
    assert.equal(listFlows(family, 6).length, 1)
  })
