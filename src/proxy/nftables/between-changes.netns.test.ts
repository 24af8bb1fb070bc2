// A packet may see a Service of before a change and the endpoints of after it. Whatever becomes of that packet, its connection
// must not stay without an answer: the next packet finds what is true by then.
import * as assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createNetns, deleteNetns, withNetns } from '#kernel/netns.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { NftablesDataplane } from '#proxy/nftables/nftables-dataplane.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { viewService, viewSlice } from '#proxy/state.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

const skip = need({ root: true, programs: ['nft', 'curl'] })
const [clusterIp, endpointIp] = ['10.96.0.9', '192.0.2.1']

const server = `require('node:http').createServer((_, answer) => answer.end('here')).listen(8080, '${endpointIp}')`

function plan(sessionAffinity: 'None' | 'ClientIP'): ReadonlyMap<string, readonly PortPlan[]> {
  const ports = [{ name: 'web', port: 80, targetPort: 8080 }]
  const metadata = { namespace: 'demo', name: 'web' }
  const service = viewService({ metadata, spec: { clusterIP: clusterIp, ports, sessionAffinity } })!
  const slice = viewSlice({
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'web', port: 8080 }],
    endpoints: [{ addresses: [endpointIp] }],
  })!
  return new Map([['demo/web', planService(service, [slice], 4, { name: 'node-1', zone: '', ips: { 4: endpointIp } })]])
}

const cases = [
  { name: 'between two changes', affinity: 'None', cut: ['flush', 'map', 'ip', 'fairway-proxy', 'endpoints-1-to-4'] },
  {
    name: 'between two changes, with affinity',
    affinity: 'ClientIP',
    cut: ['flush', 'map', 'ip', 'fairway-proxy', 'endpoints-1-to-4'],
  },
  { name: 'before its Service', affinity: 'None', cut: undefined },
] as const

for (const [i, { name, affinity, cut }] of cases.entries())
  test(`nftables: a connection that begins ${name}`, { skip }, async () => {
    const netns = `/run/netns/between-${process.pid}-${i}`
    createNetns(netns)
    const inside = (...words: readonly [string, ...string[]]) =>
      withNetns(netns, () => spawn(words[0], words.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] }))
    const serving = withNetns(netns, () => {
      using route = openRoute()
      route.setLink('lo', { up: true })
      route.addAddress({ link: 'lo', cidr: `${endpointIp}/32` })
      route.replaceRoute({ destination: '10.96.0.0/12', link: 'lo', source: endpointIp })
      return inside(process.execPath, '-e', server)
    })
    try {
      const plane = new NftablesDataplane(
        {
          family: 4,
          masqueradeMark: 0x4000,
          masqueradeAll: false,
          local: { kind: 'cidr', cidr: '10.244.0.0/16' },
          nodePortIps: 'all',
          serviceCidrs: ['10.96.0.0/12'],
        },
        { failed: () => undefined },
        netns,
      )
      const plans = plan(affinity)
      await plane.apply(plans)
      const ask = () => inside('curl', '-s', '-m', '25', '--noproxy', '*', `http://${clusterIp}/`)
      await until(async () => assert.equal(await text(ask().stdout!), 'here'))
      if (cut === undefined) await plane.apply(new Map())
      else withNetns(netns, () => execFileSync('nft', [...cut]))
      const answer = text(ask().stdout!)
      await until(() => {
        const sockets = withNetns(netns, () => readFileSync('/proc/thread-self/net/tcp', 'utf8'))
        assert.match(sockets, /^ *\d+: \S+ 0900600A:0050 02 /m)
      })
      await plane.apply(plans)
      assert.equal(await answer, 'here')
    } finally {
      serving.kill('SIGKILL')
      await once(serving, 'exit')
      deleteNetns(netns)
    }
  })
