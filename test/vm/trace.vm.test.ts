// The tracer against IPVS, in a kernel that has it.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

const modules = ['ip_vs_rr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs']

test('IPVS: what the tracer says', { skip: needVm() }, () =>
  testInVm(['src/trace/differential.netns.test.ts'], modules, {
    env: { FAIRWAY_SHORT: '1' },
    only: 'trace, IPVS',
  }),
)
