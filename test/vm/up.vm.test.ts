// A whole cluster on Debian's modular kernel, which has to load what it needs: the default mode, and IPVS.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { need } from '#test/need.ts'
import { inVm, needVm } from '#test/vm/vm.ts'

const skip = needVm() || need({ programs: ['conmon', 'crun', 'curl', 'ipvsadm', 'nft', 'kubectl', 'dig', 'nslookup'] })

const zone = 'default.svc.cluster.local'
/** What a pod asks the Service kube-dns, and the answer: the other modes have the whole table in test/cluster/dns-cases.ts. */
const names: readonly (readonly [asked: string, answer: string])[] = [
  [`dig +short web.${zone}`, '10.96.77.1'],
  [`dig +short +tcp web.${zone}`, '10.96.77.1'],
  [`dig +short _http._tcp.web.${zone} SRV`, `0 100 80 web.${zone}.`],
  ['dig +short -x 10.96.77.1', `web.${zone}.`],
  [`dig +short manual.${zone}`, '192.0.2.10'],
  [`dig +short alias.${zone} | head -1`, `web.${zone}.`],
  [`dig gone.${zone} | grep -o NXDOMAIN`, 'NXDOMAIN'],
  ['dig +short dns-version.cluster.local TXT', '"1.1.0"'],
  ['getent ahostsv4 web | head -1 | cut -d" " -f1', '10.96.77.1'],
  ['getent ahostsv4 elsewhere.other | head -1 | cut -d" " -f1', '10.96.77.3'],
  ['nslookup kubernetes.default | grep -o "Address: 10.96.0.1$"', 'Address: 10.96.0.1'],
]
const asking = names.map(([asked]) => `ask '${asked}'`).join('; ')
const ask = 'ask() { for i in $(seq 60); do said=$(eval "$1"); [ -z "$said" ] || break; sleep 2; done; echo "$said"; }'
const namesThrough = [
  'kubectl --kubeconfig /var/lib/fairway/*/kubeconfig apply -f test/cluster/testdata/dns.yaml >&2',
  'until ./fairway exec pod/looker -- true; do sleep 2; done',
  'echo; echo names:',
  `./fairway exec pod/looker -- sh -c ${quoted(`${ask}; ${asking}`)}`,
]

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
      ...(mode === 'ipvs' ? namesThrough : []),
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
    if (mode === 'ipvs')
      assert.deepEqual(
        stdout.split('names:\n')[1]?.trim().split('\n'),
        names.map(([, answer]) => answer),
      )
  })

function quoted(script: string): string {
  return `'${script.replaceAll("'", String.raw`'\''`)}'`
}
