// From IPVS mode to the others and back under connections, for kernels that have it: `npm run modes` brings one along in a
// virtual machine.
import * as assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { addresses, connectTo, makeNode, rules, run, saved, seeds } from '#test/ipvs-node.ts'
import { servePod, skipWithoutIpvs as skip, start, webSlice } from '#test/ipvs-node.ts'
import type { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { eventually } from '#test/running-proxy.ts'
import { startAgentHere } from '#test/topology.ts'

makeNode()

const virtualIps = ['10.96.7.7', 'fd00:96::7:7'] as const

/** The Service in both families. */
async function dualSeeds(): Promise<FakeKubernetes> {
  const fake = await seeds()
  fake.put('services', {
    metadata: { namespace: 'demo', name: 'web' },
    spec: {
      clusterIP: virtualIps[0],
      clusterIPs: virtualIps,
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    },
  })
  fake.put('endpointslices', { ...webSlice(['fd00:244::9'], 'web-6'), addressType: 'IPv6' })
  return fake
}

const isIpvs = () => virtualIps.every((ip) => saved().includes(ip)) && rules().includes('KUBE-IPVS-FILTER')
const echo = async (socket: Socket, text: string) => {
  socket.write(text)
  assert.equal(String((await once(socket, 'data'))[0]), text)
}

// First, since connections that have ended in the ordinary way stay in the kernel's table for two minutes.
test('IPVS mode: connections go on after a switch; when they have ended, nothing is left', { skip }, async () => {
  await using fake = await dualSeeds()
  using _pod4 = await servePod('10.244.0.9')
  using _pod6 = await servePod('fd00:244::9')
  const before: Socket[] = []
  {
    await using _ = await start(fake)
    await eventually('IPVS', isIpvs)
    for (const ip of virtualIps) before.push(await connectTo(ip, 80))
  }
  await using _ = await start(fake, { mode: 'nftables' })
  await eventually('no rules of IPVS mode', () => !rules().includes('KUBE-IPVS-FILTER'))
  const after: Socket[] = []
  for (const ip of virtualIps) after.push(await connectTo(ip, 80))
  for (const socket of [...before, ...after]) await echo(socket, 'still there\n')
  assert.ok(saved().includes('10.96.7.7:80'))
  // A reset leaves no connection behind that waits for late packets.
  for (const socket of before) socket.resetAndDestroy()
  const left = () => `${saved()}${addresses()}${/^create KUBE-.*/m.exec(run('ipset', 'save'))?.[0] ?? ''}`
  await eventually('nothing left', () => left() === '').catch(() => assert.equal(left(), ''))
  for (const socket of after) await echo(socket, 'and still\n')
  for (const socket of after) socket.resetAndDestroy()
})

test('IPVS mode: to the others and back, and no connection fails', { skip }, async () => {
  await using fake = await dualSeeds()
  // In a thread of its own: the proxies here are busy for seconds when they start.
  await using here = await startAgentHere()
  await here.serve(8080)
  const failures: string[] = []
  let made = 0
  let step = 'none'
  const over = new AbortController()
  const client = async (host: string) => {
    while (!over.signal.aborted) {
      const began = step
      for (const [what, times] of Object.entries(await here.connect({ host, port: 80, times: 3, timeoutMs: 30_000 })))
        if (what.startsWith('here ')) made += times
        else failures.push(`${what} at ${host}, ${began} to ${step}`)
    }
  }
  let traffic: Promise<unknown> | undefined
  try {
    for (const mode of ['ipvs', 'iptables', 'ipvs', 'nftables', 'ipvs'] as const) {
      step = mode
      await using _ = await start(fake, { mode })
      if (mode === 'ipvs') {
        await eventually('IPVS', isIpvs)
        await eventually('no rules of others', () => !rules().includes('KUBE-SVC-'))
      } else await eventually(`no IPVS in ${mode} mode`, () => !rules().includes('KUBE-IPVS-FILTER'))
      traffic ??= Promise.all(virtualIps.map(client))
      const before = made
      await eventually('traffic', () => made > before + 12)
    }
  } finally {
    over.abort()
    await traffic
  }
  assert.deepEqual(failures, [], `of ${made}`)
})
