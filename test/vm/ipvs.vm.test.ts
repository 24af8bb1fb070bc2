// IPVS mode and SCTP with real packets, in a kernel that has them.
import { test } from 'node:test'
import { needVm, testInVm } from '#test/vm/vm.ts'

const skip = needVm()
const modules = ['ip_vs_rr', 'ip_vs_mh', 'dummy', 'br_netfilter', 'xt_set', 'xt_ipvs', 'sctp']
/** Fewer connections: an emulated processor is slow. */
const env = { FAIRWAY_SHORT: '1' }
const timeout = '14m'

test('IPVS: the table of packets, the whole proxy, and switches between modes', { skip }, () =>
  testInVm(['src/proxy/packets.netns.test.ts', 'src/proxy/ipvs/ipvs-mode.netns.test.ts'], modules, {
    only: 'packets, ipvs|IPVS mode',
    env,
    timeout,
  }),
)

test('IPVS: what Kubernetes itself asks; SCTP in every mode', { skip }, () =>
  testInVm(['src/proxy/ipvs/acceptance.netns.test.ts', 'src/proxy/sctp.netns.test.ts'], modules, { env, timeout }),
)
