// What each back end makes of one node and two peers, as the machine's own programs show it: testdata/NAME.txt, written by
// this test with FAIRWAY_GOLDEN=1.
import * as assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { annotation, knowEachOther, makeNodes, type Nodes, type TestNode, untilTrue } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const skip = need({ root: true, programs: ['ip', 'bridge', 'iptables'], files: ['/dev/net/tun'] })

for (const type of ['vxlan', 'host-gw', 'udp'] as const)
  test(`the picture of ${type}`, { skip }, async () => {
    await using cluster = await makeNodes({ count: 1, families: [4, 6] })
    const [node] = cluster.nodes as [TestNode]
    for (const n of [2, 3]) peer(cluster, type, n)
    await using flannel = node.start({ type })
    await knowEachOther([flannel], [4, 6], 2)
    await untilTrue(
      () => node.show('ip6tables-save').includes('FLANNEL-FWD'),
      () => flannel.lines.join('\n'),
    )
    const picture = draw(node, type)
    const path = new URL(`testdata/${type}.txt`, import.meta.url)
    if (process.env['FAIRWAY_GOLDEN'] === '1') writeFileSync(path, picture)
    assert.equal(picture, readFileSync(path, 'utf8'))
  })

function peer({ server }: Nodes, type: string, n: number): void {
  const mac = (family: number) => JSON.stringify({ VNI: 1, VtepMAC: `0e:00:00:00:0${family}:0${n}` })
  server.put('nodes', {
    metadata: {
      name: `node-${n}`,
      annotations: {
        [annotation('kube-subnet-manager')]: 'true',
        [annotation('backend-type')]: type,
        [annotation('backend-data')]: type === 'vxlan' ? mac(4) : 'null',
        [annotation('backend-v6-data')]: type === 'vxlan' ? mac(6) : 'null',
        [annotation('public-ip')]: `10.168.0.${n + 1}`,
        [annotation('public-ipv6')]: `fd00:168:0::${n + 1}`,
      },
    },
    spec: { podCIDRs: [`10.244.${n - 1}.0/24`, `fd00:10:244:${n - 1}::/64`] },
  } as never)
}

function draw(node: TestNode, type: string): string {
  const lines = (...words: string[]) =>
    node
      .show(...words)
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' ').trim())
      .filter((line) => line !== '')
  const devices = { vxlan: ['flannel.1', 'flannel-v6.1'], 'host-gw': [], udp: ['flannel0', 'flannel-v6.0'] }[type]!
  const parts = {
    links: devices.flatMap((name) =>
      lines('ip', '-d', '-o', 'link', 'show', name).map((line) => {
        const [, mtu] = /mtu (\d+)/.exec(line)!
        const vxlan = /vxlan id \d+ (?:local|local6)? ?\S+ .*?dstport \d+ (?:no)?learning/.exec(line)?.[0]
        const [, mac] = /link\/ether (\S+)/.exec(line) ?? []
        return `${name} mtu ${mtu} ${mac ?? 'tun'} ${vxlan ?? ''}`.trim()
      }),
    ),
    addresses: devices.flatMap((name) =>
      lines('ip', '-o', 'addr', 'show', name, 'scope', 'global').map((line) =>
        line
          .replace(/^\d+: /, '')
          .split('\\')[0]!
          .trim(),
      ),
    ),
    neighbours: devices.flatMap((name) => lines('ip', 'neigh', 'show', 'dev', name).map((line) => `${name}: ${line}`)),
    'forwarding entries': devices.flatMap((name) =>
      (type === 'vxlan' ? lines('bridge', 'fdb', 'show', 'dev', name) : []).map((line) => `${name}: ${line}`),
    ),
    routes: ['-4', '-6'].flatMap((family) =>
      lines('ip', family, 'route').filter((line) => /^(10\.244|fd00:10:244)/.test(line) && !line.includes('cni0')),
    ),
    rules: ['iptables-save', 'ip6tables-save'].flatMap((program) =>
      lines(program).filter((line) => line.startsWith('-A')),
    ),
  }
  const from = `node-1 of three, flannel ${type}, both families; as ip, bridge and iptables-save print it\n`
  return (
    from +
    Object.entries(parts)
      .map(([title, list]) => `\n# ${title}\n${list.sort(bySection).join('\n')}\n`)
      .join('')
  )
}

/** Rules stay in the order of the kernel; of the rest the order means nothing. */
const bySection = (a: string, b: string) => (a.startsWith('-A') ? 0 : a < b ? -1 : a > b ? 1 : 0)
