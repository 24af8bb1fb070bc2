// Rule for rule what kube-proxy 1.36.2 writes for the same objects and flags: the dumps in testdata say how they were
// recorded.
import * as assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { chainNames, endpointChain } from '#proxy/iptables/chain-name.ts'
import { largeClusterEndpoints, type RenderOptions } from '#proxy/iptables/render-options.ts'
import { renderWhole } from '#proxy/iptables/restore-text.ts'
import { planService, type PortPlan } from '#proxy/plan/plan.ts'
import { type Family, viewNode, viewService, viewSlice } from '#proxy/state.ts'
import { applyRestore, comparable, untouched } from '#test/iptables-text.ts'
import { readObjects, visibleToProxy } from '#test/yaml-objects.ts'

const testdata = 'src/proxy/testdata'

function plansOf(objects: string, family: Family): PortPlan[] {
  const { services, slices, nodes } = visibleToProxy(readObjects(`${testdata}/${objects}`))
  const node = viewNode(nodes[0]!)
  const views = slices.flatMap((slice) => viewSlice(slice) ?? [])
  return services
    .flatMap((service) => viewService(service) ?? [])
    .flatMap((service) => [
      ...planService(
        service,
        views.filter((slice) => slice.service === service.key),
        family,
        node,
      ),
    ])
}

const standard: Omit<RenderOptions, 'family' | 'large'> = {
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  local: { kind: 'cidr', cidr: '10.244.0.0/16' },
  localhostNodePorts: true,
  nodePortIps: 'all',
  randomFully: true,
  conntrackLiberal: false,
  counters: true,
}
const only4 = { 4: standard, 6: { ...standard, local: { kind: 'none' } } } as const

type Case = readonly [name: string, objects: string, options: Readonly<Record<Family, typeof standard>>]
const both = (changed: Partial<typeof standard>) => ({ 4: { ...standard, ...changed }, 6: { ...standard, ...changed } })
const cases: readonly Case[] = [
  ['seeds', 'seeds.yaml', only4],
  ['semantics', 'semantics.yaml', { 4: standard, 6: { ...standard, local: { kind: 'cidr', cidr: 'fd00:244::/32' } } }],
  ['large', 'large.yaml', only4],
  [
    'masquerade-all',
    'variants.yaml',
    { 4: { ...standard, masqueradeAll: true }, 6: { ...only4[6], masqueradeAll: true } },
  ],
  ['bridge', 'variants.yaml', both({ local: { kind: 'bridge', interface: 'cni0' } })],
  ['prefix', 'variants.yaml', both({ local: { kind: 'prefix', prefix: 'veth' } })],
  [
    'node-cidr',
    'variants.yaml',
    {
      4: { ...standard, local: { kind: 'cidr', cidr: '10.244.0.0/24' } },
      6: { ...standard, local: { kind: 'cidr', cidr: 'fd00:244::/64' } },
    },
  ],
  ['no-detect', 'variants.yaml', both({ local: { kind: 'none' } })],
  [
    'addresses',
    'variants.yaml',
    {
      4: { ...standard, nodePortIps: ['10.168.0.2', '127.0.0.1'] },
      6: { ...only4[6], nodePortIps: ['fd00:168::2'] },
    },
  ],
  [
    'primary',
    'variants.yaml',
    {
      4: { ...standard, nodePortIps: ['10.168.0.2'], localhostNodePorts: false },
      6: { ...only4[6], nodePortIps: ['fd00:168::2'] },
    },
  ],
  [
    'no-localhost',
    'variants.yaml',
    {
      4: { ...standard, localhostNodePorts: false, masqueradeMark: 0x8000 },
      6: { ...only4[6], localhostNodePorts: false, masqueradeMark: 0x8000 },
    },
  ],
]

for (const [name, objects, options] of cases)
  for (const family of [4, 6] as const)
    test(`golden: ${name}, IPv${family}`, () => {
      const plans = plansOf(objects, family)
      const endpoints = plans.reduce((sum, { all }) => sum + all.length, 0)
      const all: RenderOptions = { ...options[family], family, large: endpoints > largeClusterEndpoints }
      const found = { hasJump: () => false, rulesOf: () => undefined, serviceChains: [] }
      const ours = applyRestore(renderWhole(plans, all, found).text, untouched())
      const theirs = applyRestore(readFileSync(`${testdata}/${name}.v${family}.save`, 'utf8'))
      assert.deepEqual(comparable(ours), comparable(theirs))
      for (const chain of ['INPUT', 'FORWARD', 'OUTPUT'])
        assert.deepEqual(ours.get('filter')!.get(chain), theirs.get('filter')!.get(chain))
    })

test('chain names are those of the documents and of kube-proxy', () => {
  for (const [port, protocol, chain] of [
    ['default/kubernetes:https', 'tcp', 'KUBE-SVC-NPX46M4PTMTKRN6Y'],
    ['kube-system/kube-dns:dns', 'udp', 'KUBE-SVC-TCOU7JCQXEZGVUNU'],
    ['kube-system/kube-dns:dns-tcp', 'tcp', 'KUBE-SVC-ERIFXISQEP7F7OF4'],
    ['kube-system/kube-dns:metrics', 'tcp', 'KUBE-SVC-JD5MR3NA4I4DYORP'],
    ['default/clusteripservice', 'tcp', 'KUBE-SVC-IAEKQ2XJ6CG3CMAV'],
    ['default/nodeportservice', 'tcp', 'KUBE-SVC-I54GZH7ZC463PLQ6'],
    // the form of a port without a name, with a colon: so it was before 1.20
    ['default/hostnames:', 'tcp', 'KUBE-SVC-NWV5X2332I4OT4T3'],
    ['default/hostnames:default', 'tcp', 'KUBE-SVC-ODX2UBAZM7RQWOIU'],
    ['ns4/svc4:p80', 'tcp', 'KUBE-SVC-4SW47YFZTEDKD3PK'],
  ] as const)
    assert.equal(chainNames(port, protocol).cluster, chain)
  assert.equal(endpointChain('ns1/svc1:p80', 'tcp', '10.180.0.1:80'), 'KUBE-SEP-SXIVWICOYRO3J4NJ')
})
