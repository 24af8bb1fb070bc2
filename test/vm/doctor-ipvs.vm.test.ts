// The doctor over nodes in IPVS mode, in a kernel that has it: healthy, and with each of its faults made for real.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

const modules = ['ip_vs_rr', 'ip_vs_wrr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs']

test('IPVS: what the doctor says', { skip: needVm() }, () =>
  testInVm(['src/doctor/both-families.netns.test.ts'], modules, { only: 'both families, ipvs', timeout: '14m' }),
)
