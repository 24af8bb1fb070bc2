// flannel's own program on two nodes, with leases in an etcd that they reach through this process.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { EtcdClient } from '#etcd/client.ts'
import { withNetns } from '#kernel/netns.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import type { TestNode } from '#test/flannel-nodes.ts'

const port = 2379

export async function startFlanneld(
  program: string,
  type: string,
  nodes: readonly TestNode[],
): Promise<AsyncDisposable> {
  await using started = new AsyncDisposableStack()
  const etcd = started.use(await EtcdCluster.start())
  const client = new EtcdClient({ servers: etcd.urls })
  const config = { Network: '10.244.0.0/16', SubnetMin: '10.244.0.0', Backend: { Type: type } }
  await client.put('/coreos.com/network/config', new TextEncoder().encode(JSON.stringify(config)))
  client.close()
  const target = Number(new URL(etcd.urls[0]!).port)
  for (const node of nodes) {
    // A socket belongs to the namespace in which it was made: the node finds etcd on its own loopback.
    const relay = createServer((socket) => {
      const to = connect(target, '127.0.0.1')
      for (const one of [socket, to]) one.on('error', () => [socket, to].forEach((each) => each.destroy()))
      socket.pipe(to).pipe(socket)
    })
    await new Promise<void>((resolve) => withNetns(node.netns, () => relay.listen(port, resolve)))
    started.defer(() => void relay.close())
    const subnetFile = `${node.folder}/flanneld.env`
    mkdirSync(node.folder, { recursive: true })
    // What it had before it takes again.
    writeFileSync(
      subnetFile,
      `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${node.subnets[4].replace('.0/', '.1/')}\n`,
    )
    const words = [
      `--etcd-endpoints=http://127.0.0.1:${port}`,
      '--iface=eth0',
      `--subnet-file=${subnetFile}`,
      '--ip-masq',
    ]
    const child = withNetns(node.netns, () => spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] }))
    started.defer(() => end(child))
    const other = nodes.find((one) => one !== node)!
    await waitFor(
      child,
      () => type === 'udp' || node.show('ip', 'route').includes(other.subnets[4]) || node === nodes[0],
    )
  }
  const [first, second] = nodes as [TestNode, TestNode]
  for (let i = 0; i < 300; i++) {
    const isThere = type === 'udp' || first.show('ip', 'route').includes(second.subnets[4])
    if (isThere && (type !== 'udp' || nodes.every((node) => node.show('ip', 'link').includes('flannel0')))) break
    await sleep(100)
  }
  await sleep(type === 'udp' ? 2000 : 200)
  const stack = started.move()
  return { [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function waitFor(child: ChildProcess, isThere: () => boolean): Promise<void> {
  let said = ''
  child.stderr!.on('data', (data) => (said = `${said}${String(data)}`.slice(-4000)))
  for (let i = 0; i < 300 && !isThere(); i++) {
    if (child.exitCode !== null) throw new Error(`flanneld ended: ${said}`)
    await sleep(100)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill()
  await ended
}
