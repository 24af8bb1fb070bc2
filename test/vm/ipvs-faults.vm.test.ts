// Random histories against a model, and faults between any two writes, in IPVS mode.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('IPVS: random histories and faults', { skip: needVm() }, () =>
  testInVm(
    ['src/proxy/ipvs/faults.netns.test.ts', 'src/proxy/ipvs/model.netns.test.ts'],
    ['ip_vs_rr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'],
    { env: { FAIRWAY_SHORT: '1' }, timeout: '14m' },
  ),
)
