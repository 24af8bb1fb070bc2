// Faults that are made for real in a cluster, and what the doctor has to say of each.
import * as assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LiveCluster } from '#test/cluster/live-cluster.ts'

export type Reported = {
  readonly code: string
  readonly severity: string
  readonly about: string
  readonly remedy: readonly string[]
  readonly evidence: readonly string[]
  readonly consequence: string
  readonly folded: readonly Reported[]
}

export type Fault = {
  readonly name: string
  /** of the finding that has to be a root cause, or that folds under one */
  readonly code: string
  readonly about: string
  /** what is wrong besides, since the fault could not be made without it */
  readonly also?: readonly string[]
  /** modes of the proxy in which it can happen; undefined: all */
  readonly modes?: readonly string[]
  /** the node's agent undoes it whenever its network changes: it is made again until it is seen */
  readonly fades?: true
  /** only with a tunnel between the nodes */
  readonly tunnel?: true
  make(live: LiveCluster): void
  /** where the remedy is for a person to fill in */
  mend?(live: LiveCluster): void
}

const onNode = (node: string, script: string) => (live: LiveCluster) => {
  const { status, text } = live.sh(`node/${node}`, script)
  assert.equal(status, 0, text)
}
const node1 = (script: string) => onNode('node-1', script)
const kill = (part: string, node: string) => (live: LiveCluster) => {
  const { status, stderr } = live.fairway('node kill', node, '--part', part)
  assert.equal(status, 0, stderr)
}
const start = (part: string, node: string) => (live: LiveCluster) => {
  const { status, stderr } = live.fairway('node start', node, '--part', part)
  assert.equal(status, 0, stderr)
}
const both =
  (...acts: readonly ((live: LiveCluster) => void)[]) =>
  (live: LiveCluster) =>
    acts.forEach((act) => act(live))

/** A Service in front of the pods of examples/hostnames.yaml, known to every node. */
const expose = (name: string) => (live: LiveCluster) => {
  live.kubectl('expose', 'deployment', 'hostnames', '--name', name, '--port', '80', '--target-port', '9376')
  const ip = live.value('.spec.clusterIP', 'service', name)
  live.sh('node/node-1', `for i in $(seq 60); do curl -sf -m 1 http://${ip}/ >/dev/null && break; sleep 0.1; done`)
}

const patch = (what: string, name: string, value: object) => (live: LiveCluster) =>
  void live.kubectl('patch', what, name, '--type=merge', '-p', JSON.stringify(value))

/** Where pods of node-1 live behind the bridge. */
export const drop =
  'table inet site { chain forward { type filter hook forward priority -5; ip daddr 10.244.0.0/16 tcp dport 9376 drop; }; }'

export const faults: readonly Fault[] = [
  {
    name: 'a target port at which nobody listens',
    code: 'NoListener',
    about: 'svc/default/hostnames-nodeport',
    make: (live) =>
      void live.kubectl(
        'patch',
        'service',
        'hostnames-nodeport',
        '--type=json',
        '-p',
        JSON.stringify([{ op: 'replace', path: '/spec/ports/0/targetPort', value: 9377 }]),
      ),
  },
  {
    name: 'answers that go past the rules',
    code: 'BridgePastRules',
    about: 'node/node-2',
    make: onNode('node-2', 'sysctl -qw net.bridge.bridge-nf-call-iptables=0'),
  },
  {
    name: 'an MTU that does not fit into the tunnel',
    code: 'MtuTooLarge',
    about: 'node/node-2',
    tunnel: true,
    make: onNode('node-2', 'ip link set eth0 mtu 1400'),
  },
  {
    name: 'a Service that went, and one that came, while the proxy was dead',
    code: 'StaleService',
    about: 'node/node-2',
    also: ['ProxyDown'],
    make: both(
      expose('gone'),
      kill('proxy', 'node-2'),
      (live) => void live.kubectl('delete', 'service', 'gone'),
      expose('late'),
    ),
    mend: (live) => void live.kubectl('delete', 'service', 'late'),
  },
  {
    name: 'answers by another way than questions',
    code: 'ReversePathFilter',
    about: 'node/node-2',
    tunnel: true,
    make: both(
      kill('flannel', 'node-1'),
      node1('ip route replace 10.244.1.0/24 via 10.168.0.3 dev eth0'),
      onNode('node-2', 'sysctl -qw net.ipv4.conf.eth0.rp_filter=1'),
    ),
    mend: both(onNode('node-2', 'sysctl -qw net.ipv4.conf.eth0.rp_filter=0'), start('flannel', 'node-1')),
  },
  {
    name: 'a process at a node port',
    code: 'NodePortTaken',
    about: 'svc/default/hostnames-nodeport',
    make: node1('setsid busybox nc -ll -p 30225 >/dev/null 2>&1 </dev/null & sleep 0.5'),
    mend: node1("kill $(ss -lntpH 'sport = :30225' | grep -o 'pid=[0-9]*' | cut -d= -f2)"),
  },
  {
    name: 'a node port among those that connections of the node take',
    code: 'NodePortInLocalRange',
    about: 'svc/default/hostnames-nodeport',
    make: onNode('node-2', 'sysctl -qw net.ipv4.ip_local_port_range="30000 60999"'),
  },
  {
    name: 'no forwarding entry of the tunnel',
    code: 'PathBroken',
    about: 'node/node-2',
    tunnel: true,
    make: both(
      kill('flannel', 'node-2'),
      onNode(
        'node-2',
        'bridge fdb show dev flannel.1 | while read mac rest; do bridge fdb del $mac dev flannel.1; done',
      ),
    ),
  },
  {
    name: 'a connection that leads to an endpoint which is gone',
    code: 'StaleFlow',
    about: 'node/node-1',
    // A proxy that runs would take it away at once.
    also: ['ProxyDown'],
    make: both(kill('proxy', 'node-1'), (live) => {
      const ip = live.value('.spec.clusterIP', '-n', 'kube-system', 'service', 'kube-dns')
      node1(
        `conntrack -I -p udp -t 300 -s 10.244.0.77 -d ${ip} --sport 40000 --dport 53 -r 10.244.9.9 -q 10.244.0.77 --reply-port-src 53 --reply-port-dst 40000`,
      )(live)
    }),
  },
  {
    name: 'rules of a proxy that does not run here any more',
    code: 'LeftoverRules',
    about: 'node/node-2',
    modes: ['nftables'],
    make: onNode(
      'node-2',
      'iptables -t nat -N KUBE-SVC-AAAAAAAAAAAAAAAA; iptables -t nat -A KUBE-SVC-AAAAAAAAAAAAAAAA -p tcp -j RETURN',
    ),
  },
  {
    name: 'a selector with a slip of the pen',
    code: 'NoPodMatches',
    about: 'svc/default/hostnames-nodeport',
    make: patch('service', 'hostnames-nodeport', { spec: { selector: { app: 'hostname' } } }),
  },
  {
    name: 'hairpin mode off',
    code: 'HairpinOff',
    about: 'node/node-1',
    make: node1('for port in /sys/class/net/cni0/brif/*/hairpin_mode; do echo 0 >$port; done'),
  },
  {
    name: 'no forwarding',
    code: 'ForwardingOff',
    about: 'node/node-1',
    fades: true,
    make: node1('sysctl -qw net.ipv4.ip_forward=0'),
  },
  {
    name: 'no route to the pods of another node',
    code: 'RouteMissing',
    about: 'node/node-2',
    make: both(kill('flannel', 'node-2'), onNode('node-2', 'ip route del 10.244.0.0/24')),
  },
  {
    name: 'a firewall that drops packets of pods',
    code: 'FirewallDrops',
    about: 'node/node-2',
    make: onNode('node-2', `nft '${drop}'`),
  },
  {
    name: 'policy of FORWARD',
    code: 'ForwardDropped',
    about: 'node/node-1',
    // The agent of the pod network would put its rules back at once.
    make: both(kill('flannel', 'node-1'), node1('iptables -P FORWARD DROP; iptables -F FORWARD')),
    mend: both(node1('iptables -P FORWARD ACCEPT'), start('flannel', 'node-1')),
  },
  {
    name: 'rules of a proxy that has died',
    code: 'ProxyMissing',
    about: 'node/node-1',
    modes: ['nftables'],
    make: both(kill('proxy', 'node-1'), node1('nft delete table ip fairway-proxy; nft delete table ip6 fairway-proxy')),
  },
  {
    name: 'flushed chains of iptables',
    code: 'JumpMissing',
    about: 'node/node-1',
    // A proxy that runs would mend it at once.
    also: ['ProxyDown'],
    modes: ['iptables'],
    make: both(kill('proxy', 'node-1'), node1('iptables -t nat -F PREROUTING; iptables -t nat -F OUTPUT')),
  },
  {
    name: 'a rule by hand in front of the proxy',
    code: 'ForeignRule',
    about: 'svc/default/hostnames',
    make: (live) => {
      const ip = live.value('.spec.clusterIP', 'service', 'hostnames')
      const rule = `ip daddr ${ip} tcp dport 80 dnat to 10.244.0.250:80`
      node1(`nft 'table ip site-nat { chain pre { type nat hook prerouting priority -110; ${rule}; }; }'`)(live)
    },
  },
  {
    name: "a node's own DNS server that has died, and left its address",
    code: 'NodeDnsDown',
    about: 'node/node-2',
    make: (live) => {
      const ip = live.value('.spec.clusterIP', '-n', 'kube-system', 'service', 'kube-dns')
      const rules = ['udp', 'tcp'].map((protocol) => `ip daddr ${ip} ${protocol} dport 53 notrack;`).join(' ')
      onNode(
        'node-2',
        `ip link add nodelocaldns type bridge; ip addr add ${ip}/32 dev nodelocaldns; ip link set nodelocaldns up; nft 'table ip nodelocal { chain pre { type filter hook prerouting priority raw; ${rules} }; }'`,
      )(live)
    },
    mend: onNode('node-2', 'ip link del nodelocaldns; nft delete table ip nodelocal'),
  },
  {
    name: 'a firewall that lets no question of the DNS out',
    code: 'DnsUpstreamFails',
    about: 'configmap/kube-system/kube-dns',
    // Without one it also stands between pods and the DNS on another node.
    tunnel: true,
    make: (live) => {
      for (const node of ['node-1', 'node-2'])
        onNode(
          node,
          `nft 'table inet egress { chain out { type filter hook forward priority -5; oifname "eth0" udp dport 53 drop; }; }'`,
        )(live)
    },
  },
  {
    name: 'a proxy that missed changes',
    code: 'ProxyDown',
    about: 'node/node-2',
    make: both(kill('proxy', 'node-2'), (live) => {
      const [pod] = live.pods('app=hostnames')
      live.kubectl('delete', 'pod', pod!.name, '--wait=true', '--grace-period=1')
      live.kubectl('rollout', 'status', 'deployment/hostnames', '--timeout=30s')
    }),
  },
]

/** What the doctor says of a cluster, and with which exit code. */
export function examine(
  live: LiveCluster,
  ...words: readonly string[]
): { readonly status: number | null; readonly findings: readonly Reported[] } {
  const { status, stdout, stderr } = live.fairway('doctor', '-o', 'json', ...words)
  try {
    return { status, findings: (JSON.parse(stdout) as { readonly findings: readonly Reported[] }).findings }
  } catch {
    assert.fail(`doctor ended with ${status}: ${stdout}${stderr}`)
  }
}

export const headlines = (findings: readonly Reported[]): string =>
  findings
    .map(({ code, about, folded }) =>
      [`${code} ${about}`, ...folded.map((one) => `  ${one.code} ${one.about}`)].join('\n'),
    )
    .join('\n')

/** Up to 30 s until the doctor finds nothing. */
export async function untilHealthy(live: LiveCluster): Promise<void> {
  const end = performance.now() + 30_000
  for (;;) {
    const { status, findings } = examine(live)
    if (status === 0 && findings.length === 0) return
    if (performance.now() > end) assert.fail(`still wrong:\n${JSON.stringify(findings, undefined, 1)}`)
    await sleep(500)
  }
}

/** Makes faults at once, has each of them named as a root cause, puts them right as the doctor said. */
export async function makeAndMend(live: LiveCluster, some: readonly Fault[]): Promise<void> {
  for (const fault of some) fault.make(live)
  let { status, findings } = examine(live)
  const isSeen = ({ code, about }: Fault) =>
    findings.flatMap((item) => [item, ...item.folded]).some((item) => item.code === code && item.about === about)
  for (let left = 5; left > 0 && some.some((fault) => fault.fades === true && !isSeen(fault)); left--) {
    for (const fault of some) if (fault.fades === true) fault.make(live)
    ;({ status, findings } = examine(live))
  }
  assert.equal(status, 1)
  for (const fault of some)
    assert.ok(isSeen(fault), `${fault.name}: no ${fault.code} of ${fault.about} among\n${headlines(findings)}`)
  // Whatever else is a root cause would lead somebody astray.
  const expected = new Set(some.flatMap(({ code, also = [] }) => [code, ...also]))
  assert.deepEqual(
    findings
      .filter((item) => item.severity === 'error' && !expected.has(item.code))
      .map(({ code, about }) => `${code} ${about}`),
    [],
    headlines(findings),
  )
  for (const fault of some) fault.mend?.(live)
  const byHand = new Set(some.filter(({ mend }) => mend !== undefined).map(({ code }) => code))
  for (const { code, remedy } of findings) if (!byHand.has(code)) follow(live, remedy)
  await untilHealthy(live)
}

/** The commands of a remedy, as somebody would paste them. */
export function follow(live: LiveCluster, remedy: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  try {
    const program = `#!/bin/sh\nexec ${process.execPath} --disable-warning=ExperimentalWarning ${process.cwd()}/src/cli/main.ts "$@"\n`
    writeFileSync(join(folder, 'fairway'), program, { mode: 0o755 })
    const env = { ...process.env, ...live.env, FAIRWAY_CLUSTER: live.name, PATH: `${folder}:${process.env['PATH']}` }
    const { stderr, status } = spawnSync('sh', ['-c', remedy.join('\n')], { encoding: 'utf8', env })
    assert.equal(status, 0, `${remedy.join('\n')}\n${stderr}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
