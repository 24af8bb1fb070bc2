// What Kubernetes itself asks of a Service proxy, in IPVS mode.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('IPVS: what Kubernetes itself asks', { skip: needVm() }, () =>
  testInVm(['src/proxy/ipvs/acceptance.netns.test.ts'], ['ip_vs_rr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'], {
    env: { FAIRWAY_SHORT: '1' },
    timeout: '14m',
  }),
)
