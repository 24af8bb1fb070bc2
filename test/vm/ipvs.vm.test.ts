// IPVS mode with real packets, in a kernel that has it.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('IPVS: the table of packets, and the whole proxy', { skip: needVm() }, () =>
  testInVm(
    ['src/proxy/packets.netns.test.ts', 'src/proxy/ipvs/ipvs-mode.netns.test.ts'],
    ['ip_vs_rr', 'ip_vs_mh', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'],
    {
      only: 'packets, ipvs|IPVS mode: ',
      env: { FAIRWAY_SHORT: '1' },
      timeout: '14m',
    },
  ),
)
