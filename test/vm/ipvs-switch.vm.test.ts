// From IPVS mode to the others and back, while connections are made and held.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('IPVS: switches between modes', { skip: needVm() }, () =>
  testInVm(
    ['src/proxy/ipvs/ipvs-switch.netns.test.ts'],
    ['ip_vs_rr', 'ip_vs_mh', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'],
    { env: { FAIRWAY_SHORT: '1' }, timeout: '14m' },
  ),
)
