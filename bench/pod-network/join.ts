// A node among 99 others: from its start to every way there, one more node, and a device that somebody deletes.
import { setTimeout as sleep } from 'node:timers/promises'
import { openRoute } from '#kernel/route/open-route.ts'
import { makeNodes, type TestNode } from '#test/flannel-nodes.ts'
import { percentile, type Figures } from '../bench.ts'

/** Rounds in namespaces of their own. The first finds the program cold, as a node that joins does. */
export async function joinAndRepair(peers: number, rounds: number): Promise<Figures> {
  const all: Record<'join' | 'learn' | 'repair', number>[] = []
  for (let round = 0; round < rounds; round++) {
    // The end of namespaces holds a lock of the whole machine, without which no link can be made.
    await sleep(500)
    all.push(await joinOnce(peers))
  }
  const median = (key: 'join' | 'learn' | 'repair') =>
    percentile(
      all.map((one) => one[key]),
      0.5,
    )
  return {
    join_first_ms: all[0]!.join,
    join_ms: median('join'),
    learn_ms: median('learn'),
    repair_ms: median('repair'),
  }
}

async function joinOnce(peers: number) {
  await using cluster = await makeNodes({ count: 1 })
  const [node] = cluster.nodes as [TestNode]
  const come = (n: number) =>
    cluster.lease(`other-${n}`, `10.244.${100 + n}.0/24`, `10.168.0.${100 + n}`, 'vxlan', dataOf(n))
  for (let n = 0; n < peers; n++) come(n)
  using route = openRoute(node.netns)
  const ways = () => (route.link('flannel.1') === undefined ? 0 : route.routes({ family: 4, link: 'flannel.1' }).length)
  const msUntil = async (count: number, act: () => void) => {
    const startMs = performance.now()
    act()
    while (ways() < count) await new Promise((resolve) => setImmediate(resolve))
    return performance.now() - startMs
  }
  let flannel: ReturnType<TestNode['start']>
  const join = await msUntil(peers, () => (flannel = node.start({ type: 'vxlan' }, { rulesResyncMs: 5000 })))
  const learn = await msUntil(peers + 1, () => come(peers))
  await sleep(500)
  const repair = await msUntil(peers + 1, () => void route.deleteLink('flannel.1'))
  await flannel!.stop()
  return { join, learn, repair }
}

function dataOf(n: number): string {
  return JSON.stringify({ VNI: 1, VtepMAC: `0e:00:00:00:01:${n.toString(16).padStart(2, '0')}` })
}
