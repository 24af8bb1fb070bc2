// A whole cluster on Debian's modular kernel, which has to load what it needs: the default mode, and IPVS.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { inVm, needVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ programs: ['conmon', 'crun', 'curl', 'ipvsadm', 'nft'] })

const cases = [
  ['nftables', 'nft list map ip fairway-proxy services', /comment "default\/hostnames-nodeport/],
  ['ipvs', 'ipvsadm -ln', /^TCP {2}10\.168\.0\.2:30225 rr\n( {2}-> 10\.244\.0\.\d+:9376 +Masq {4}1 +\d+ +\d+ *\n){3}/m],
] as const

for (const [mode, command, want] of cases)
  test(`up on a modular kernel, ${mode}`, { skip, timeout: 900_000 }, () => {
    const script = [
      'if ./fairway up --nodes 1 >&2; then exit 1; fi',
      `./fairway up --nodes 1 --proxy-mode ${mode} --load-modules --wait 600s -f examples/hostnames.yaml >&2`,
      `./fairway exec node/node-1 -- ${command}`,
      'curl -sS -m 20 http://10.168.0.2:30225/',
      './fairway down >&2',
      'test -z "$(ip netns)"',
    ].join('\n')
    const { status, stdout, stderr } = inVm(['sh', '-ec', script], {
      memoryMb: 3072,
      timeout: '14m',
      flags: ['--cpus', '2'],
    })
    assert.equal(status, 0, stderr)
    assert.match(stderr, /the kernel lacks br_netfilter .*\n {2}give --load-modules/)
    assert.match(stdout, want)
    assert.match(stdout, /^hostnames-[a-z0-9-]+$/m)
  })
