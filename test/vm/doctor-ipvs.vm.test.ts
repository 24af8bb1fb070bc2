// The doctor over a whole cluster in IPVS mode, in a kernel that has it.
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { needVm, testInVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ programs: ['kubectl', 'conmon', 'crun', 'ipvsadm', 'ipset'] })

test('IPVS: what the doctor says', { skip, timeout: 900_000 }, () =>
  testInVm(
    ['test/cluster/doctor-ipvs.modes.test.ts'],
    ['ip_vs_rr', 'ip_vs_wrr', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs'],
    {
      memoryMb: 3072,
      flags: ['--cpus', '2'],
      timeout: '14m',
    },
  ),
)
