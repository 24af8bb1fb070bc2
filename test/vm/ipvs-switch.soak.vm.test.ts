// From IPVS mode to the others and back, while connections are made and held. It needs a processor of its own: a starved
// machine takes the proxy's pauses for refusals.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('IPVS: switches between modes', { skip: needVm() }, () =>
  testInVm(
    ['src/proxy/ipvs/ipvs-mode.netns.test.ts'],
    ['ip_vs_rr', 'ip_vs_mh', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'],
    { only: 'IPVS mode: (to the others|connections go on)', env: { FAIRWAY_SHORT: '1' }, timeout: '14m' },
  ),
)
