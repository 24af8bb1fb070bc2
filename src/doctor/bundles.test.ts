// Bundles as people have them: what `kubectl cluster-info dump` printed, must-gather's folders, and parts of either.
import * as assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { stringify } from 'yaml'
import { diagnose } from '#doctor/diagnose.ts'
import { openInputs } from '#doctor/snapshot/open-inputs.ts'
import { readView } from '#doctor/view.ts'
import { encodeTar } from '#lib/tar.ts'
import { applied, type Change, changed, edit, type Files, recorded, withoutFiles } from '#test/doctor-snapshot.ts'

const diagnosed = (files: Files) => {
  const view = readView(files)
  assert.deepEqual(view.problems, [])
  const { findings, undecided } = diagnose(view)
  return { roots: findings.map(({ code, about }) => `${code} ${about}`), undecided: undecided.join('\n') }
}
const wrongSelector = (file: string): Change => edit(file, /("selector": \{\n\s+"app"): "hostnames"/, '$1: "hostname"')
const selectors = ['NoPodMatches svc/default/hostnames', 'NoPodMatches svc/default/hostnames-nodeport']

/** kubectl 1.36 made it of two nodes; events and what no one reads were cut out by hand. */
const dump = openInputs(['src/doctor/testdata/cluster-info'])

test('cluster-info dump: a folder', () => {
  const { roots, undecided } = diagnosed(dump)
  assert.deepEqual(roots, [])
  assert.match(undecided, /whoever stands behind Services is taken from pods and selectors/)
  assert.match(undecided, /no state of any node/)
  assert.ok(dump.every(({ file }) => !file.endsWith('logs.txt')))
})

/** As it is printed where no folder was named. */
const printed = (files: Files): Files => [
  {
    file: 'dump.txt',
    text: files
      .map(({ text }) => `${text.trimEnd()}\n`)
      .join(
        '==== START logs for container a of pod default/b ====\nnet.ipv4.ip_forward = 0\n==== END logs for container a of pod default/b ====\n',
      ),
  },
]

test('cluster-info dump: one text, documents and logs one after the other', () => {
  assert.deepEqual(diagnosed(printed(dump)).roots, [])
  assert.deepEqual(diagnosed(applied(printed(dump), [wrongSelector('dump.txt')])).roots, selectors)
})

test('cluster-info dump: a selector that matches nobody, and pods that are not ready', () => {
  assert.deepEqual(diagnosed(applied(dump, [wrongSelector('default/services.json')])).roots, selectors)
  const unready = edit(
    'default/pods.json',
    /"type": "Ready",\n(\s+)"status": "True"/,
    '"type": "Ready",\n$1"status": "False"',
  )
  const { roots } = diagnosed(applied(dump, [unready]))
  assert.deepEqual(roots, ['PodsNotReady svc/default/hostnames', 'PodsNotReady svc/default/hostnames-nodeport'])
})

/** The recorded cluster as OpenShift's must-gather lays it out: YAML by namespace, and what was taken on each node. */
function mustGather(files: Files): Files {
  const root = 'must-gather.local.4711/quay-io-example-sha256-1'
  return files.flatMap(({ file, text }) => {
    const name = file.replace('iptables/', '')
    if (!name.startsWith('objects/')) return name.startsWith('fairway') ? [] : [{ file: `${root}/${name}`, text }]
    const { kind, items } = JSON.parse(text) as {
      kind: string
      items: { metadata: { namespace?: string; name: string } }[]
    }
    const yaml = (value: unknown) => `---\n${stringify(value)}`
    if (kind === 'NodeList')
      return items.map((item) => ({
        file: `${root}/cluster-scoped-resources/core/nodes/${item.metadata.name}.yaml`,
        text: yaml(item),
      }))
    const plural = name.replace(/^objects\/|\.json$/g, '')
    const group = kind === 'EndpointSliceList' ? 'discovery.k8s.io' : 'core'
    return [...Map.groupBy(items, ({ metadata }) => metadata.namespace ?? '')].flatMap(([namespace, own]) => [
      {
        file: `${root}/namespaces/${namespace}/${group}/${plural}.yaml`,
        text: yaml({ apiVersion: 'v1', kind, items: own }),
      },
      ...(kind === 'PodList'
        ? own.map((item) => ({
            file: `${root}/namespaces/${namespace}/pods/${item.metadata.name}/${item.metadata.name}.yaml`,
            text: yaml(item),
          }))
        : []),
    ])
  })
}

test('must-gather: a tree, and an archive of it with logs inside', () => {
  assert.deepEqual(diagnosed(mustGather(recorded)), { roots: [], undecided: '' })
  const stale = edit('node-1/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376')
  const files = mustGather(changed(stale))
  const folder = mkdtempSync(join(tmpdir(), 'must-gather-'))
  try {
    const log = {
      name: 'must-gather.local.4711/namespaces/default/pods/a/a/logs/current.log',
      data: new TextEncoder().encode('*nat\n'),
    }
    const members = files.map(({ file, text }) => ({ name: file, data: new TextEncoder().encode(text) }))
    writeFileSync(join(folder, 'must-gather.tar.gz'), gzipSync(encodeTar([log, ...members])))
    assert.deepEqual(diagnosed(openInputs([join(folder, 'must-gather.tar.gz')])).roots, [
      'StaleEndpoint svc/default/hostnames',
      'StaleEndpoint svc/default/hostnames-nodeport',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('no EndpointSlices: Endpoints tell who stands behind Services, or pods do', () => {
  const stale = edit('node-1/iptables-save.txt', '10.244.1.3:9376', '10.244.1.9:9376')
  const podsOnly = withoutFiles(/endpointslices/)
  assert.deepEqual(diagnosed(changed(podsOnly)).roots, [])
  assert.deepEqual(diagnosed(changed(podsOnly, stale)).roots, [
    'StaleEndpoint svc/default/hostnames',
    'StaleEndpoint svc/default/hostnames-nodeport',
  ])
  const endpoint = (name: string, ip: string, port: object) => ({
    metadata: { namespace: name.startsWith('kube-dns') ? 'kube-system' : 'default', name },
    subsets: [{ addresses: ip.split(' ').map((one) => ({ ip: one })), ports: [port].flat() }],
  })
  const pods = '10.244.0.3 10.244.0.4 10.244.1.3'
  const items = [
    endpoint('kubernetes', '10.168.0.250', { name: 'https', port: 6443 }),
    endpoint('hostnames', pods, { name: 'default', port: 9376 }),
    endpoint('hostnames-nodeport', pods, { name: 'http', port: 9376 }),
    endpoint('kube-dns', '10.244.0.2 10.244.1.2', [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      { name: 'metrics', port: 9153, protocol: 'TCP' },
    ]),
  ]
  const endpoints = {
    file: 'objects/endpoints.json',
    text: JSON.stringify({ apiVersion: 'v1', kind: 'EndpointsList', items }),
  }
  const { roots, undecided } = diagnosed([...changed(podsOnly), endpoints])
  assert.deepEqual(roots, [])
  assert.match(undecided, /is taken from Endpoints$/m)
})

test('one dump of rules alone says what it lacks', () => {
  const { roots, undecided } = diagnosed(recorded.filter(({ file }) => file.endsWith('node-1/iptables-save.txt')))
  assert.deepEqual(roots, [])
  for (const lack of [/no Services/, /no EndpointSlices/, /no pods/, /node-1: not given: ip -d -j addr/])
    assert.match(undecided, lack)
})
