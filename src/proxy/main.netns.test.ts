// The whole proxy against an API server, in a network namespace of its own.
import * as assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { test } from 'node:test'
import { FakeKubernetes } from '#test/fake-kubernetes.ts'
import { need } from '#test/need.ts'
import { eventually, get, startProxy as start } from '#test/running-proxy.ts'

const skip = need({ root: true, programs: ['iptables', 'ip6tables', 'conntrack', 'nft'] })

const rules = (table = 'nat') => execFileSync('iptables-save', ['-t', table], { encoding: 'utf8', stdio: 'pipe' })

const has = (text: string, table?: string) => () => rules(table).includes(text)

test('proxy: from the API server into the kernel', { skip }, async (t) => {
  await using proxy = await start()
  const { fake, lines } = proxy
  await eventually('rules', has('KUBE-SVC-TCOU7JCQXEZGVUNU'))

  await t.test('logs what it does, in the words of kube-proxy', () => {
    for (const line of [
      'Using iptables Proxier.',
      'Adding new service port "default/kubernetes:https" at 10.96.0.1:443/TCP',
      'Adding new service port "kube-system/kube-dns:dns" at 10.96.0.10:53/UDP',
      'Setting endpoints for service port name "kube-system/kube-dns:dns" to [10.244.0.2:53 10.244.0.3:53]',
      'Setting endpoints for service port name "default/kubernetes:https" to [10.168.0.250:6443]',
    ])
      assert.ok(lines.includes(line), `${line}\n${lines.join('\n')}`)
  })

  await t.test('asks for no more than system:node-proxier may', () => {
    const asked = new Set(fake.requests.map((request) => request.replace(/\?.*/, '')))
    const allowed = [
      'GET /api/v1/services',
      'GET /apis/discovery.k8s.io/v1/endpointslices',
      'GET /api/v1/nodes',
      'POST /api/v1/namespaces/default/events',
    ]
    assert.deepEqual(
      [...asked].filter((request) => !allowed.includes(request)),
      [],
    )
    const selectors = fake.requests.map((request) => decodeURIComponent(request))
    assert.ok(selectors.some((request) => request.includes('labelSelector=!service.kubernetes.io/service-proxy-name')))
    assert.ok(selectors.some((request) => request.includes('fieldSelector=metadata.name=node-1')))
  })

  await t.test('an endpoint comes and goes', async () => {
    const metadata = { namespace: 'default', name: 'clusteripservice-8dq4l' }
    const slice = fake.get('endpointslices', metadata)!
    const endpoints = slice['endpoints'] as object[]
    const more = { addresses: ['10.244.1.9'], conditions: { ready: true } }
    fake.put('endpointslices', { ...slice, endpoints: [...endpoints, more] })
    await eventually('the new endpoint', has('--to-destination 10.244.1.9:80'))
    assert.ok(rules().includes('--probability 0.20000000019'))
    fake.put('endpointslices', { ...slice, endpoints: [] })
    await eventually('refused', has('default/clusteripservice has no endpoints', 'filter'))
    assert.ok(!rules().includes('KUBE-SVC-IAEKQ2XJ6CG3CMAV'))
    fake.put('endpointslices', slice)
    await eventually('back', has('KUBE-SVC-IAEKQ2XJ6CG3CMAV'))
  })

  await t.test('a Service comes and goes', async () => {
    const metadata = { namespace: 'default', name: 'nodeportservice' }
    const service = fake.get('services', metadata)!
    fake.remove('services', metadata)
    await eventually('gone', () => !rules().includes('nodeportservice'))
    fake.put('services', service)
    await eventually('back', has('KUBE-EXT-I54GZH7ZC463PLQ6'))
  })

  await t.test('answers about itself', async () => {
    const healthz = await get('http://127.0.0.1:10256/healthz')
    assert.equal(healthz.status, 200)
    const health = JSON.parse(healthz.body) as { nodeEligible: boolean; healthy: boolean; status: object }
    assert.deepEqual([health.nodeEligible, health.healthy, Object.keys(health.status)], [true, true, ['IPv4', 'IPv6']])
    assert.equal((await get('http://127.0.0.1:10249/proxyMode')).body, 'iptables')
    assert.equal((await get('http://127.0.0.1:10249/healthz')).body, 'ok')
    assert.match((await get('http://127.0.0.1:10249/configz')).body, /"mode":"iptables"/)
    const indicators = 'http://127.0.0.1:10249/metrics/slis'
    assert.match((await get(indicators)).body, /^kubernetes_healthcheck\{name="ping",type="healthz"\} 1$/m)
    await fetch(indicators, { method: 'DELETE' })
    assert.ok(!(await get(indicators)).body.includes('"ping"'))
    const metrics = (await get('http://127.0.0.1:10249/metrics')).body
    assert.match(metrics, /kubeproxy_iptables_ct_state_invalid_dropped_packets_total \d/)
    assert.match(metrics, /kubeproxy_sync_proxy_rules_iptables_total\{table="nat",ip_family="IPv4"\} \d\d+/)
    assert.match(metrics, /kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} \d/)
    const node = fake.list('nodes')[0]!
    fake.put('nodes', { ...node, spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } })
    await eventually('not eligible', async () => (await get('http://127.0.0.1:10256/healthz')).status === 503)
    assert.equal((await get('http://127.0.0.1:10256/livez')).status, 200)
    fake.put('nodes', node)
  })

  await t.test('puts back what others take away', async () => {
    const attacks: readonly (readonly string[])[] = [
      ['-t', 'nat', '-F', 'KUBE-SERVICES'],
      ['-t', 'nat', '-D', 'PREROUTING', '1'],
      ['-t', 'filter', '-F'],
      ['-t', 'nat', '-D', 'KUBE-SVC-TCOU7JCQXEZGVUNU', '1'],
      ['-t', 'nat', '-R', 'KUBE-MARK-MASQ', '1', '-j', 'MARK', '--or-mark', '0x8000'],
    ]
    const whole = rules() + rules('filter')
    for (const attack of attacks) {
      execFileSync('iptables', attack)
      await eventually(
        `repaired after ${attack.join(' ')}`,
        () => linesOf(rules() + rules('filter')) === linesOf(whole),
      )
    }
    execFileSync('iptables', ['-t', 'nat', '-N', 'SOMEONE-ELSES'])
    await new Promise((resolve) => setTimeout(resolve, 1200))
    assert.ok(rules().includes('SOMEONE-ELSES'))
  })

  await t.test('stale UDP flows are forgotten, others not', async () => {
    const make = (to: string, port: number) =>
      execFileSync(
        'conntrack',
        `-I -p udp -s 10.0.0.1 -d 10.96.0.10 --sport ${port} --dport 53 --dst-nat ${to} --timeout 60`.split(' '),
        { stdio: 'ignore' },
      )
    make('10.244.0.2', 1001)
    make('10.244.0.3', 1002)
    const slice = fake.get('endpointslices', { namespace: 'kube-system', name: 'kube-dns-x7k2p' })!
    fake.put('endpointslices', { ...slice, endpoints: (slice['endpoints'] as object[]).slice(1) })
    const flows = () => execFileSync('conntrack', ['-L', '-p', 'udp'], { encoding: 'utf8', stdio: 'pipe' })
    await eventually('the flow is gone', () => !flows().includes('sport=1001'))
    assert.ok(flows().includes('sport=1002'))
    fake.put('endpointslices', { ...slice, endpoints: [] })
    await eventually('the other flow is gone too', () => !flows().includes('sport=1002'))
  })
})

test('proxy: health check node port', { skip }, async () => {
  await using proxy = await start()
  const { fake } = proxy
  fake.put('services', {
    metadata: { namespace: 'demo', name: 'web' },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.99',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 32000,
      ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 32001 }],
    },
  })
  const slice = (ready: boolean) => ({
    metadata: { namespace: 'demo', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.0.9'], nodeName: 'node-1', conditions: { ready, serving: true, terminating: !ready } },
    ],
  })
  fake.put('endpointslices', slice(true))
  const answer = () =>
    get('http://127.0.0.1:32000/whatever').catch(() => ({ status: 0, headers: new Headers(), body: '' }))
  await eventually('200', async () => (await answer()).status === 200)
  const { headers, body } = await answer()
  assert.equal(headers.get('x-load-balancing-endpoint-weight'), '1')
  assert.equal(headers.get('content-type'), 'application/json')
  assert.equal(
    body,
    '{\n\t"service": {\n\t\t"namespace": "demo",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 1,\n\t"serviceProxyHealthy": true\n}',
  )
  fake.put('endpointslices', slice(false))
  await eventually('503 with terminating endpoints only', async () => (await answer()).status === 503)
  fake.remove('services', { namespace: 'demo', name: 'web' })
  await eventually('closed', async () => (await answer()).status === 0)
})

/** Does not keep the process alive. */
async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen(port, '0.0.0.0').unref()
  await once(server, 'listening')
  return server
}

test('proxy: what belongs to the node is not taken from it', { skip }, async () => {
  const server = await listenOn(32010)
  await using proxy = await start({ mode: 'nftables', healthz: undefined })
  const { fake, lines } = proxy
  const spec = { clusterIP: '10.96.0.77', type: 'NodePort', externalIPs: ['10.168.0.2', '80.11.12.77'] }
  const ports = [32010, 32011].map((nodePort) => ({ name: `p${nodePort}`, port: nodePort, protocol: 'TCP', nodePort }))
  fake.put('services', { metadata: { namespace: 'demo', name: 'greedy', uid: 'greedy' }, spec: { ...spec, ports } })
  const services = () =>
    spawnSync('nft', ['list', 'map', 'ip', 'fairway-proxy', 'services'], { encoding: 'utf8' }).stdout
  await eventually('its other fronts', () => services().includes('80.11.12.77 . tcp . 32011'))
  assert.match(services(), /0\.0\.0\.0 \. tcp \. 32011 /)
  assert.ok(!services().includes('10.168.0.2 . tcp'), 'the address of the Node')
  assert.ok(!services().includes('0.0.0.0 . tcp . 32010'), 'the port that is listened on')
  const events = () => fake.list('events').map((event) => String(event['message']))
  for (const text of [
    'node port 32010/tcp is not programmed on node node-1: a process of the node listens there (--allow-node-capture programs it all the same)',
    "external IP 10.168.0.2 is not programmed on node node-1: it is the node's own address (--allow-node-capture programs it all the same)",
  ]) {
    await eventually(text, () => events().includes(text))
    assert.ok(lines.some((line) => line.includes(text)))
  }
  const metrics = (await get('http://127.0.0.1:10249/metrics')).body
  assert.match(metrics, /fairway_proxy_withheld_fronts\{reason="listening",ip_family="IPv4"\} 1/)
  assert.match(metrics, /fairway_proxy_withheld_fronts\{reason="own-address",ip_family="IPv4"\} 2/)
  server.close()
  await eventually('given free', () => services().includes('0.0.0.0 . tcp . 32010'))
  await listenOn(32010)
  fake.put('services', {
    metadata: { namespace: 'demo', name: 'greedy', uid: 'greedy' },
    spec: { ...spec, externalIPs: [], ports },
  })
  await eventually('changed', () => !services().includes('80.11.12.77'))
  assert.ok(services().includes('0.0.0.0 . tcp . 32010'), 'who came first stays')
})

test('proxy: after a restart too, a NodePort stays with the Service that had it first', { skip }, async () => {
  for (const mode of ['nftables', 'iptables'] as const) {
    await using fake = await FakeKubernetes.start()
    const nodePort = mode === 'nftables' ? 32020 : 32021
    const ports = [{ name: 'web', port: 80, protocol: 'TCP', nodePort }]
    const spec = { clusterIP: '10.96.0.79', type: 'NodePort', ports }
    fake.put('services', { metadata: { namespace: 'demo', name: 'early', uid: 'early' }, spec })
    fake.put('nodes', {
      metadata: { name: 'node-1' },
      status: { addresses: [{ type: 'InternalIP', address: '10.168.0.2' }] },
    })
    const slice = {
      metadata: { namespace: 'demo', name: 'early-1', labels: { 'kubernetes.io/service-name': 'early' } },
      addressType: 'IPv4',
      ports: [{ name: 'web', port: 80, protocol: 'TCP' }],
      endpoints: [{ addresses: ['10.244.0.9'], nodeName: 'node-1', conditions: { ready: true } }],
    }
    fake.put('endpointslices', slice)
    const options = { mode, healthz: undefined, metrics: undefined } as const
    const isThere = () =>
      mode === 'iptables'
        ? rules().includes(`--dport ${nodePort} -j KUBE-EXT-`)
        : spawnSync('nft', ['list', 'map', 'ip', 'fairway-proxy', 'services'], { encoding: 'utf8' }).stdout.includes(
            `0.0.0.0 . tcp . ${nodePort}`,
          )
    {
      await using _ = await start(options, fake)
      await eventually('the NodePort', isThere)
    }
    const late = await listenOn(nodePort)
    await using proxy = await start(options, fake)
    fake.put('endpointslices', { ...slice, endpoints: [...slice.endpoints, { addresses: ['10.244.0.10'] }] })
    await eventually('another endpoint', () => proxy.lines.some((line) => line.includes('10.244.0.10:80')))
    assert.ok(isThere(), mode)
    assert.ok(!proxy.lines.some((line) => line.includes('is not programmed')))
    late.close()
  }
})

test('proxy: a Service that claims the address of another is named', { skip }, async () => {
  await using proxy = await start({ mode: 'nftables', healthz: undefined, metrics: undefined })
  const { fake } = proxy
  const put = (name: string, clusterIP: string) =>
    fake.put('services', {
      metadata: { namespace: 'demo', name, uid: name },
      spec: { clusterIP, externalIPs: ['80.11.12.99'], ports: [{ name: 'web', port: 80, protocol: 'TCP' }] },
    })
  put('first', '10.96.0.91')
  await eventually('the first', () => proxy.lines.some((line) => line.includes('demo/first:web')))
  put('second', '10.96.0.92')
  const text = '80.11.12.99:80/tcp is claimed by Service demo/first already: one of them is not reached there'
  await eventually('an event', () =>
    fake.list('events').some((event) => event['message'] === text && event['reason'] === 'ClaimedTwice'),
  )
})

test('proxy: node capture can be allowed', { skip }, async () => {
  await using proxy = await start({ mode: 'nftables', healthz: undefined, metrics: undefined, allowNodeCapture: true })
  const spec = { clusterIP: '10.96.0.77', externalIPs: ['10.168.0.2'], ports: [{ port: 80, protocol: 'TCP' }] }
  proxy.fake.put('services', { metadata: { namespace: 'demo', name: 'greedy' }, spec })
  const services = () =>
    spawnSync('nft', ['list', 'map', 'ip', 'fairway-proxy', 'services'], { encoding: 'utf8' }).stdout
  await eventually('taken', () => services().includes('10.168.0.2 . tcp . 80'))
})

test('proxy: started again, it takes over what is there', { skip }, async () => {
  await using fake = await FakeKubernetes.start()
  execFileSync('iptables', ['-t', 'nat', '-N', 'KUBE-SEP-AAAAAAAAAAAAAAAA'])
  await using proxy = await start({ healthz: undefined, metrics: undefined }, fake)
  await eventually('the leftover is gone', () => !rules().includes('KUBE-SEP-AAAAAAAAAAAAAAAA'))
  await eventually('leftovers of Services that are gone', () => !rules().includes('KUBE-SVC-'))
  assert.equal(rules().match(/-A PREROUTING .*KUBE-SERVICES/g)?.length, 1)
  assert.ok(proxy.lines.length > 0)
})

test('proxy: nftables mode, and from one mode to the other', { skip }, async (t) => {
  const nft = (...words: string[]) => {
    const { stdout } = spawnSync('nft', words, { encoding: 'utf8', stdio: 'pipe' })
    return stdout
  }
  const services = () => nft('list', 'map', 'ip', 'fairway-proxy', 'services')
  const endpoints = () => nft('list', 'map', 'ip', 'fairway-proxy', 'endpoints-1-to-4')
  const dispatch = () => nft('list', 'chain', 'ip', 'fairway-proxy', 'dispatch')
  await t.test('iptables mode first', async () => {
    await using _ = await start()
    await eventually('rules', has('KUBE-SVC-TCOU7JCQXEZGVUNU'))
    await eventually('the mark of ours', () => nft('list', 'table', 'ip', 'fairway-proxy').includes('in iptables'))
  })
  assert.ok(rules().includes('KUBE-SVC-TCOU7JCQXEZGVUNU'), 'rules stay when the proxy ends')
  await t.test('nftables mode takes over', async () => {
    await using proxy = await start({ mode: 'nftables' })
    const { fake, lines } = proxy
    await eventually('table', () => services().includes('default/kubernetes:https'))
    const isClean = () => !rules().includes('KUBE-') && !rules('filter').includes('KUBE-SERVICES')
    await eventually('nothing left in iptables', isClean)
    assert.ok(lines.includes('Using nftables Proxier.'))
    assert.ok(endpoints().includes('comment "kube-system/kube-dns:dns" : 10.244.0.2 . 53'))
    assert.equal((await get('http://127.0.0.1:10249/proxyMode')).body, 'nftables')
    const slice = fake.get('endpointslices', { namespace: 'kube-system', name: 'kube-dns-x7k2p' })!
    fake.put('endpointslices', { ...slice, endpoints: (slice['endpoints'] as object[]).slice(1) })
    await eventually('one endpoint fewer', () => !endpoints().includes('10.244.0.2 . 53'))
    const dns = '{ 10.96.0.10 . udp . 53 . 0 }'
    const attacks = [
      'flush ruleset',
      'flush map ip fairway-proxy services',
      'flush chain ip fairway-proxy dispatch',
      `delete element ip fairway-proxy endpoints-1-to-4 ${dns}`,
    ]
    for (const attack of attacks) {
      nft(...attack.split(' '))
      const isRepaired = () =>
        services().includes('default/kubernetes:https') &&
        dispatch().includes('no such port') &&
        endpoints().includes('10.96.0.10 . udp . 53 . 0x00000000 ')
      await eventually(`repaired after ${attack}`, isRepaired)
    }
  })
  await t.test('iptables mode again', async () => {
    await using _ = await start()
    await eventually('rules', has('KUBE-SVC-TCOU7JCQXEZGVUNU'))
    await eventually('the table is gone', () => dispatch() === '')
  })
})

/** Rules in the order of their text: where there is more than one of us, nobody's order is right. */
const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('-A'))
    .sort()
    .join('\n')
