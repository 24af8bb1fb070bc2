// What kube-proxy 1.36.2 made of the same objects and flags in IPVS mode: the dumps in testdata say how they were
// recorded.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseIpsets } from '#kernel/dump/ipset.ts'
import { parseVirtualServers } from '#kernel/dump/ipvsadm.ts'
import { schedulerFlags } from '#kernel/ipvs/codec.ts'
import type { IpvsOptions } from '#proxy/ipvs/options.ts'
import { Picture, serverKey } from '#proxy/ipvs/picture.ts'
import { ipvsChains, ipvsJumps, ipvsRules } from '#proxy/ipvs/rules.ts'
import { setKeys, setName, setType } from '#proxy/ipvs/sets.ts'
import { ipvsSysctls } from '#proxy/ipvs/settings.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type Family, socketAddress, viewNode, viewService, viewSlice } from '#proxy/state.ts'
import { applyRestore } from '#test/iptables-text.ts'
import { readObjects, visibleToProxy } from '#test/yaml-objects.ts'

const testdata = 'src/proxy/testdata'

function plansOf(objects: string, family: Family): PortPlan[] {
  const { services, slices, nodes } = visibleToProxy(readObjects(`${testdata}/${objects}`))
  const node = viewNode(nodes[0]!)
  const views = slices.flatMap((slice) => viewSlice(slice) ?? [])
  const planOf = (service: NonNullable<ReturnType<typeof viewService>>) =>
    planService(
      service,
      views.filter((slice) => slice.service === service.key),
      family,
      node,
    )
  return services.flatMap((service) => viewService(service) ?? []).flatMap(planOf)
}

const ips = { 4: ['10.168.0.2'], 6: ['fd00:168::2'] } as const
const standard = {
  scheduler: 'rr',
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  excludeCidrs: [],
} as const
const cidr = { 4: { kind: 'cidr', cidr: '10.244.0.0/16' }, 6: { kind: 'cidr', cidr: 'fd00:244::/32' } } as const
const none = { kind: 'none' } as const
type Changed = Partial<Omit<IpvsOptions, 'local'>> & { readonly local: Readonly<Record<Family, IpvsOptions['local']>> }
const only4 = { 4: cidr[4], 6: none }
const bridge = { kind: 'bridge', interface: 'cni0' } as const

/**
 * Where we differ (docs/decisions): internal policy Local without an endpoint on the node means that nothing answers,
 * while kube-proxy sends such packets to other nodes if the Service can also be reached from outside.
 */
const withoutFallback = ['tcp 10.96.1.44:80']

type Case = readonly [name: string, objects: string, changed: Changed]
const cases: readonly Case[] = [
  ['seeds', 'seeds.yaml', { local: only4 }],
  ['semantics', 'semantics.yaml', { local: cidr }],
  ['masquerade-all', 'variants.yaml', { local: only4, masqueradeAll: true }],
  ['bridge', 'variants.yaml', { local: { 4: bridge, 6: bridge } }],
  ['no-detect', 'variants.yaml', { local: { 4: none, 6: none } }],
  ['addresses', 'variants.yaml', { local: only4 }],
  ['mh', 'variants.yaml', { local: only4, scheduler: 'mh', masqueradeMark: 0x8000 }],
]

function pictureOf(objects: string, family: Family, changed: Changed) {
  const options: IpvsOptions = {
    ...standard,
    family,
    nodePortIps: ips[family],
    ownIps: ips[family],
    ...changed,
    local: changed.local[family],
  }
  return { options, picture: new Picture(options, plansOf(objects, family)) }
}

function sectionsOf(name: string): ReadonlyMap<string, string> {
  const [, ...parts] = readFileSync(`${testdata}/${name}.ipvs`, 'utf8').split(/^### (.*)\n/m)
  return new Map(parts.flatMap((part, i) => (i % 2 === 0 ? [[part, parts[i + 1]!]] : [])))
}

for (const [name, objects, changed] of cases) {
  const recorded = sectionsOf(name)
  const both = ([4, 6] as const).map((family) => pictureOf(objects, family, changed))

  test(`golden, IPVS: ${name}, virtual servers`, () => {
    const { value, unread } = parseVirtualServers(recorded.get('ipvsadm -Sn')!)
    assert.deepEqual(unread, [])
    const theirs = value.map(({ address, scheduler, persistent = 0, flags, servers }) => {
      assert.ok(address.kind !== 'mark')
      return {
        key: serverKey({ protocol: address.kind, address: address.ip, port: address.port }),
        scheduler,
        persistentSeconds: persistent,
        flags: flags.includes('mh-port') ? schedulerFlags.second : 0,
        endpoints: servers
          .map(({ ip, port, weight, forward }) => `${socketAddress(ip, port)} ${weight} ${forward}`)
          .sort(),
      }
    })
    for (const one of theirs) if (withoutFallback.includes(one.key)) one.endpoints = []
    const ours = both.flatMap(({ picture }) =>
      picture.serverKeys.map((key) => {
        const { server, endpoints } = picture.server(key)!
        const { scheduler, persistentSeconds, flags } = server
        const addresses = [...endpoints.keys()].map((endpoint) => `${endpoint} 1 masquerade`).sort()
        return { key, scheduler, persistentSeconds, flags, endpoints: addresses }
      }),
    )
    assert.deepEqual(ours.sort(byKey), theirs.sort(byKey))
  })

  test(`golden, IPVS: ${name}, sets and addresses`, () => {
    const { value } = parseIpsets(recorded.get('ipset save')!)
    const theirs = value.map(({ name, type, entries }) => ({
      key: name,
      type,
      members: entries.map((entry) => entry.member).sort(),
    }))
    const ours = both.flatMap(({ picture }) =>
      setKeys.map((key) => ({
        key: setName(key, picture.family),
        type: setType(key) as string,
        members: [...picture.entries(key)].sort(),
      })),
    )
    assert.deepEqual(ours.sort(byKey), theirs.sort(byKey))
    const addresses = recorded.get('ip -o addr show kube-ipvs0')!.split('\n').slice(0, -1)
    assert.deepEqual(
      both.flatMap(({ picture }) => [...picture.addresses].map((ip) => lineOf(ip))).sort(),
      addresses.sort(),
    )
  })

  test(`golden, IPVS: ${name}, rules`, () => {
    for (const { options, picture } of both) {
      const recordedRules = recorded.get(options.family === 4 ? 'iptables-save' : 'ip6tables-save')!
      const theirs = applyRestore(recordedRules)
      const rules = ipvsRules({
        ...options,
        randomFully: true,
        blocked: picture.blocked,
        isEmpty: (set) => picture.isEmpty(set),
      })
      for (const table of ['filter', 'nat'] as const) {
        const chains = new Map(rules.filter((one) => one.table === table).map(({ chain, rules }) => [chain, rules]))
        assert.deepEqual([...chains.keys()].sort(), [...ipvsChains[table]].sort())
        for (const [chain, list] of theirs.get(table)!) {
          const jumps = ipvsJumps.filter((jump) => jump.table === table && jump.from === chain).map(({ rule }) => rule)
          const wanted = chains.get(chain) ?? jumps.toReversed()
          // Blocked addresses come in the order of a Go map.
          const sort = (rules: readonly string[]) => (chain === 'KUBE-IPVS-OUT-FILTER' ? [...rules].sort() : rules)
          assert.deepEqual(sort(wanted), sort(list), `${table} ${chain}`)
        }
      }
    }
  })

  test(`golden, IPVS: ${name}, kernel parameters`, () => {
    for (const [parameter, value] of Object.entries(ipvsSysctls('6.1.0', name === 'mh')))
      assert.ok(recorded.get('sysctl')!.includes(`${parameter} ${value}\n`), parameter)
  })
}

test('IPVS: before Linux 5.9, reused ports are looked after', () => {
  const name = 'net/ipv4/vs/conn_reuse_mode'
  assert.deepEqual(
    ['4.19.0-27', '5.8.18', '5.9.0', '6.1.0'].map((kernel) => ipvsSysctls(kernel, false)[name]),
    [0, 0, undefined, undefined],
  )
})

const byKey = (a: { readonly key: string }, b: { readonly key: string }) => (a.key < b.key ? -1 : 1)
const lineOf = (ip: string) => (ip.includes(':') ? `inet6 ${ip}/128 scope global` : `inet ${ip}/32 scope global`)
