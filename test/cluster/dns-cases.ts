// The names of a cluster, asked from its pods through the Service kube-dns: the table of what exists and what does not,
// and the conformance cases of Kubernetes, by four resolvers.
import * as assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LiveCluster } from '#test/cluster/live-cluster.ts'
import { need } from '#test/need.ts'
import { until } from '#test/until.ts'

type Reply = {
  readonly status: string
  readonly flags: string
  readonly answers: readonly string[]
  readonly soa: boolean
}
const zone = 'cluster.local'
const svc = `svc.${zone}`
const web = '10.96.77.1'

/** Boots a cluster with these words and registers the tests on it; `more` registers others on the same. */
export function testNames(
  name: string,
  words: readonly string[],
  more?: (cluster: () => LiveCluster, skip: string | false) => void,
): void {
  const programs = ['kubectl', 'conmon', 'crun', 'dig', 'nslookup', 'busybox', 'musl-gcc']
  const skip = need({ root: true, programs })
  let live: LiveCluster
  before(() => {
    if (skip === false)
      live = new LiveCluster(name, ['--nodes', '2', '-f', 'test/cluster/testdata/dns.yaml', '--wait', '0', ...words])
  })
  after(() => live?.down())

  const podIp = (pod: string) => live.value('.status.podIP', 'pod', pod)
  const dashed = (ip: string) => ip.replaceAll('.', '-')
  const reverse = (ip: string) => `${ip.split('.').toReversed().join('.')}.in-addr.arpa`
  const inPod = (script: string, pod = 'looker') => live.sh(`pod/${pod}`, script).text

  test(`${name}: cluster DNS is up`, { skip }, async () => {
    await until(() => assert.match(inPod('nslookup kubernetes.default'), /Address: 10\.96\.0\.1/))
    await until(() => assert.match(podIp('db-plain'), /^10\./))
    await until(() => assert.match(inPod(`dig +short db.default.${svc}`), /^10\..*\n10\./))
    await until(() => assert.match(inPod(`dig +short early.default.${svc}`), /^10\./))
  })

  test(`${name}: what is answered, what is empty, what does not exist`, { skip }, async () => {
    const [alpha, plain, early] = ['db-alpha', 'db-plain', 'early'].map(podIp) as [string, string, string]
    const plainName = `${dashed(plain)}.db.default.${svc}.`
    const a = (ip: string, owner?: string) => `A ${ip}${owner === undefined ? '' : ` of ${owner}`}`
    /** name, type, then the answers; `nodata` and `nxdomain` must come with an SOA */
    const rows: readonly (readonly [string, string, 'nodata' | 'nxdomain' | readonly string[]])[] = [
      [zone, 'A', 'nodata'],
      [svc, 'A', 'nodata'],
      [`pod.${zone}`, 'TXT', 'nodata'],
      [`default.${svc}`, 'A', 'nodata'],
      [`missing.${svc}`, 'A', 'nxdomain'],
      [`foo.${zone}`, 'A', 'nxdomain'],
      [`a.b.c.web.default.${svc}`, 'A', 'nxdomain'],
      [`dns-version.${zone}`, 'TXT', ['TXT "1.1.0"']],
      [`gone.default.${svc}`, 'A', 'nxdomain'],
      [`web.default.${svc}`, 'A', [a(web)]],
      [`WEB.Default.SVC.Cluster.Local`, 'A', [a(web)]],
      [`web.default.${svc}`, 'AAAA', 'nodata'],
      [`web.default.${svc}`, 'TXT', 'nodata'],
      [`web.default.${svc}`, 'MX', 'nodata'],
      [`web.default.${svc}`, 'HTTPS', 'nodata'],
      [`_http._tcp.web.default.${svc}`, 'SRV', [`SRV 0 100 80 web.default.${svc}.`]],
      [`_talk._udp.web.default.${svc}`, 'SRV', [`SRV 0 100 90 web.default.${svc}.`]],
      [`_talk._tcp.web.default.${svc}`, 'SRV', 'nxdomain'],
      [`web.default.${svc}`, 'SRV', [`SRV 0 50 80 web.default.${svc}.`, `SRV 0 50 90 web.default.${svc}.`]],
      [`hollow.default.${svc}`, 'A', [a('10.96.77.2')]],
      [`quiet.default.${svc}`, 'A', 'nxdomain'],
      [`late.default.${svc}`, 'A', 'nxdomain'],
      [`early.default.${svc}`, 'A', [a(early)]],
      [`db.default.${svc}`, 'A', [a(alpha), a(plain)]],
      [`alpha.db.default.${svc}`, 'A', [a(alpha)]],
      [`beta.db.default.${svc}`, 'A', 'nxdomain'],
      [
        `_sql._tcp.db.default.${svc}`,
        'SRV',
        [`SRV 0 50 15432 alpha.db.default.${svc}.`, `SRV 0 50 15432 ${plainName}`],
      ],
      [`manual.default.${svc}`, 'A', [a('192.0.2.10')]],
      [`ten.manual.default.${svc}`, 'A', [a('192.0.2.10')]],
      [`alias.default.${svc}`, 'A', [`CNAME web.default.${svc}.`, a(web)]],
      [`outside.default.${svc}`, 'CNAME', ['CNAME db.example.invalid.']],
      [`x.outside.default.${svc}`, 'A', 'nxdomain'],
      [`${dashed(plain)}.default.pod.${zone}`, 'A', [a(plain)]],
      [`no-ip.default.pod.${zone}`, 'A', 'nxdomain'],
      [reverse(web), 'PTR', [`PTR web.default.${svc}.`]],
      [reverse(early), 'PTR', [`PTR ${dashed(early)}.early.default.${svc}.`]],
      [`${reverse('192.0.2.10')}`, 'PTR', [`PTR ten.manual.default.${svc}.`]],
    ]
    const asked = rows.map(([owner, type]) => `${owner} ${type} +noall +comments +answer +authority`).join(' ')
    const replies = parseDig(inPod(`dig ${asked}`))
    assert.equal(replies.length, rows.length)
    for (const [i, [owner, type, want]] of rows.entries()) {
      const reply = replies[i]!
      const said = `${type} ${owner}: ${JSON.stringify(reply)}`
      assert.match(reply.flags, /\baa\b/, said)
      if (want === 'nodata' || want === 'nxdomain') {
        assert.equal(reply.status, want === 'nodata' ? 'NOERROR' : 'NXDOMAIN', said)
        assert.ok(reply.soa && reply.answers.length === 0, said)
      } else {
        assert.equal(reply.status, 'NOERROR', said)
        assert.deepEqual(reply.answers.toSorted(), want.toSorted(), said)
      }
    }
  })

  test(`${name}: short names by glibc, musl, busybox and nslookup, over UDP and TCP`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-lookup-'))
    execFileSync('musl-gcc', ['-static', '-s', '-O1', '-o', `${folder}/lookup`, 'test/cluster/testdata/lookup.c'])
    const program = readFileSync(`${folder}/lookup`, 'base64')
    rmSync(folder, { recursive: true })
    const put = 'base64 -d >/tmp/lookup && chmod 755 /tmp/lookup'
    assert.equal(live.tryKubectl(['exec', '-i', 'looker', '--', 'sh', '-c', put], program).status, 0)

    const names = ['web', 'web.default', 'web.default.svc', `web.default.${svc}`, 'alias']
    assert.equal(
      inPod(`/tmp/lookup ${names.join(' ')} gone.default.${svc}.`),
      [...names.map((each) => `${each}: ${web}`), `gone.default.${svc}.: none`].join('\n'),
    )
    for (const each of names) {
      assert.match(inPod(`getent ahostsv4 ${each}`), new RegExp(`^${web.replaceAll('.', '\\.')} `))
      assert.match(inPod(`nslookup ${each}`), new RegExp(`Address: ${web}`))
    }
    // Busybox goes along the search list only with names of one label.
    for (const each of ['web', `web.default.${svc}`])
      assert.match(inPod(`busybox nslookup ${each}`), new RegExp(`Address: ${web}`))
    assert.equal(live.sh('pod/looker', `getent hosts gone.default.${svc}.`).status, 2)
    assert.equal(inPod(`dig +short +tcp +search web`), web)
    assert.equal(inPod('dig +short +search _http._tcp.web SRV'), `0 100 80 web.default.${svc}.`)
    assert.equal(inPod('getent ahostsv4 elsewhere.other | cut -d" " -f1 | sort -u'), '10.96.77.3')
  })

  test(`${name}: a pod's own host name, its subdomain, its /etc/hosts`, { skip }, () => {
    const ip = podIp('db-alpha')
    assert.equal(inPod('hostname; hostname -f', 'db-alpha'), `alpha\nalpha.db.default.${svc}`)
    assert.match(
      inPod('cat /etc/hosts', 'db-alpha'),
      new RegExp(`^${ip}\\s+alpha\\.db\\.default\\.svc\\.cluster\\.local\\s+alpha$`, 'm'),
    )
    assert.equal(inPod('getent ahostsv4 alpha.db | head -1 | cut -d" " -f1'), ip)
  })

  test(`${name}: dnsPolicy None asks as its dnsConfig says`, { skip }, () => {
    assert.equal(
      inPod('cat /etc/resolv.conf', 'custom'),
      `search kube-system.${svc} other.${svc}\nnameserver 10.96.0.10\noptions ndots:2`,
    )
    assert.match(inPod('getent ahostsv4 kube-dns', 'custom'), /^10\.96\.0\.10 /)
    assert.match(inPod('getent ahostsv4 elsewhere', 'custom'), /^10\.96\.77\.3 /)
  })

  const isNodeLocal = words.includes('--node-local-dns')
  if (isNodeLocal)
    test(`${name}: the node's own server answers, and no query is tracked`, { skip }, () => {
      assert.equal(inPod(`dig +short @169.254.20.10 web.default.${svc}`), web)
      const node = live.value('.spec.nodeName', 'pod', 'looker')
      const tracked = live.sh(`node/${node}`, 'conntrack -L 2>/dev/null').text.split('\n')
      const from = podIp('looker')
      assert.deepEqual(
        tracked.filter((line) => line.includes(`src=${from} `) && line.includes('dport=53 ')),
        [],
      )
    })

  test(`${name}: an ExternalName is led elsewhere, then becomes a Service with an address`, { skip }, async () => {
    const ask = () => inPod(`dig +short alias.default.${svc}`)
    live.kubectl('patch', 'service', 'alias', '-p', `{"spec":{"externalName":"elsewhere.other.${svc}"}}`)
    await until(() => assert.equal(ask(), `elsewhere.other.${svc}.\n10.96.77.3`))
    const change = { spec: { type: 'ClusterIP', externalName: null, ports: [{ port: 80 }] } }
    live.kubectl('patch', 'service', 'alias', '-p', JSON.stringify(change))
    const ip = live.value('.spec.clusterIP', 'service', 'alias')
    await until(() => assert.equal(ask(), ip))
  })

  test(`${name}: what becomes ready is answered, what ends is not`, { skip }, async () => {
    live.kubectl('label', 'pod', 'db-plain', 'app=nobody', '--overwrite')
    const ip = podIp('db-plain')
    await until(() => assert.equal(inPod(`dig +short quiet.default.${svc}`), ip))
    await until(() => assert.equal(inPod(`dig +short db.default.${svc}`), podIp('db-alpha')))
    live.kubectl('delete', 'pod', 'db-plain')
    await until(() => assert.match(inPod(`dig quiet.default.${svc}`), /NXDOMAIN/))
  })

  test(`${name}: a new Corefile in the ConfigMap is taken up`, { skip }, async () => {
    const map = isNodeLocal ? 'node-local-dns' : 'kube-dns'
    const text = live.value('.data.Corefile', 'configmap', '-n', 'kube-system', map)
    const changed = text
      .replace('    reload\n', '    reload 2s 0s\n')
      .replace('    loop\n', '    hosts {\n       192.0.2.99 told.test\n       fallthrough\n    }\n')
    live.kubectl('patch', 'configmap', '-n', 'kube-system', map, '-p', JSON.stringify({ data: { Corefile: changed } }))
    // The first look at the file may be 45 s away: pods start again sooner.
    live.kubectl('delete', 'pod', '-n', 'kube-system', '-l', `k8s-app=${map}`)
    await until(() => assert.equal(inPod('dig +short told.test'), '192.0.2.99'))
  })

  more?.(() => live, skip)
}

/** The replies that dig prints with +noall +comments +answer +authority. */
function parseDig(text: string): Reply[] {
  return text
    .split(';; ->>HEADER<<-')
    .slice(1)
    .map((part) => {
      const records = part.split('\n').filter((line) => /^\S+\s+\d+\s+IN\s/.test(line))
      const parsed = records.map((line) => line.split(/\s+/))
      return {
        status: /status: (\w+)/.exec(part)?.[1] ?? '',
        flags: /flags: ([^;]*);/.exec(part)?.[1] ?? '',
        answers: parsed.filter(([, , , type]) => type !== 'SOA').map((words) => words.slice(3).join(' ')),
        soa: parsed.some(([, , , type, mname]) => type === 'SOA' && mname?.startsWith('ns.dns.')),
      }
    })
}
