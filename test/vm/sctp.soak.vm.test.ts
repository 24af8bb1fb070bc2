// Associations of SCTP through Services, in every mode.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

test('SCTP in every mode', { skip: needVm() }, () =>
  testInVm(['src/proxy/sctp.netns.test.ts'], ['sctp', 'ip_vs_rr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'], {
    timeout: '14m',
  }),
)
