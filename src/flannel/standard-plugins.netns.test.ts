// Debian's containernetworking-plugins attach pods by the files that flannel writes.
import * as assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { callPlugin } from '#test/cni-plugin.ts'
import { knowEachOther, makeNodes, serveInPod, talk, tcpBytes, type TestNode } from '#test/flannel-nodes.ts'
import { need } from '#test/need.ts'

const plugins = '/usr/lib/cni'
const skip = need({ root: true, programs: ['ip', 'iptables', 'python3'], files: [`${plugins}/bridge`] })

test('flannel: a pod attached by bridge, host-local and portmap reaches one on another node', { skip }, async () => {
  await using cluster = await makeNodes({ count: 2 })
  const [one, two] = cluster.nodes as [TestNode, TestNode]
  const folder = mkdtempSync(join(tmpdir(), 'fairway-plugins-'))
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
  const confOf = (node: TestNode) => join(folder, `${node.name}.conflist`)
  await using first = one.start({ type: 'vxlan' }, { cniConfFile: confOf(one) })
  await using second = two.start({ type: 'vxlan' }, { cniConfFile: confOf(two) })
  await knowEachOther([first, second], [4], 1)
  const call = (node: TestNode, command: string, place: number, prevResult?: object) => {
    const { cniVersion, name, plugins: list } = JSON.parse(readFileSync(confOf(node), 'utf8'))
    const plugin = list[place]
    const ipam = plugin.ipam && { ...plugin.ipam, dataDir: join(folder, node.name) }
    const config = { ...plugin, cniVersion, name, ...(ipam && { ipam }), ...(prevResult && { prevResult }) }
    const program = join(plugins, plugin.type)
    const runtimeConfig = { portMappings: [{ hostPort: 18080, containerPort: 8080, protocol: 'tcp' }] }
    const id = `${node.name}-${process.pid}`
    return withNetns(node.netns, () =>
      callPlugin(program, { command, id, netns: node.podNetns, config: { ...config, runtimeConfig } }),
    )
  }
  for (const node of cluster.nodes) {
    // The plugin finds the bridge that is there.
    const bridged = call(node, 'ADD', 0)
    assert.equal(bridged.status, 0, bridged.text)
    const [ip] = bridged.body['ips'] as { address: string }[]
    assert.equal(ip!.address, `${node.pod[4]}/24`)
    const mapped = call(node, 'ADD', 1, bridged.body)
    assert.equal(mapped.status, 0, mapped.text)
    using pod = openRoute(node.podNetns)
    assert.equal(pod.link('eth0')!.mtu, 1450)
  }
  await using _server = await serveInPod(two)
  assert.deepEqual(talk(one, two.pod[4], [1, 1400]), { tcp: tcpBytes, udp: [1, 1400] })
  for (const node of cluster.nodes) for (const place of [1, 0]) assert.equal(call(node, 'DEL', place).status, 0)
})
