// IPVS mode with real packets, in a kernel that has it.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

const modules = ['ip_vs_rr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs']

test('IPVS: packets', { skip: needVm() }, () =>
  testInVm(['src/proxy/packets.netns.test.ts'], modules, {
    env: { FAIRWAY_SHORT: '1' },
    only: 'packets, ipvs',
  }),
)
