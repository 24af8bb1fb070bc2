// flannel's own program on two nodes, with leases in an etcd that they reach through this process.
import { setTimeout as sleep } from 'node:timers/promises'
import { EtcdClient } from '#etcd/client.ts'
import { EtcdCluster } from '#test/etcd-cluster.ts'
import { startFlanneld, type Flanneld } from '#test/flanneld.ts'
import { untilTrue, type TestNode } from '#test/flannel-nodes.ts'

export async function connectByFlanneld(
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
  const port = Number(new URL(etcd.urls[0]!).port)
  const flanneld: Flanneld[] = []
  for (const node of nodes) flanneld.push(started.use(await startFlanneld(program, node, { kind: 'etcd', port })))
  await untilTrue(
    () =>
      nodes.every((node) =>
        hasWay(
          type,
          node,
          nodes.find((one) => one !== node)!,
        ),
      ),
    () => flanneld.map((one) => one.said()).join('\n\n'),
  )
  // The other side of udp is told to the C part of it some time later.
  if (type === 'udp') await sleep(2000)
  const stack = started.move()
  return { [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const hasWay = (type: string, node: TestNode, other: TestNode) =>
  type === 'udp' ? node.show('ip', 'link').includes('flannel0') : node.show('ip', 'route').includes(other.subnets[4])
