// The kernel's table of connections: full, raced for, or given packets that it cannot place.

import type { Case } from '#doctor/checks/check.ts'
import { onNode, restart, script } from '#doctor/remedy.ts'
import { kernelIsBefore, setting } from '#doctor/checks/node-settings.ts'
import { percentOf, plural } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { type NodeView, usesIpvs } from '#doctor/view.ts'

export const checkTracking = ({ view }: Case): readonly Finding[] =>
  view.nodes.flatMap((node) => [...tableFull(node), ...races(node), ...invalid(node)])

/** From here on it is a matter of minutes. */
const fullFrom = 0.9

function tableFull(node: NodeView): readonly Finding[] {
  const { name } = node
  const count = setting(node, 'net.netfilter.nf_conntrack_count')
  const most = setting(node, 'net.netfilter.nf_conntrack_max')
  if (count === undefined || most === undefined || most === 0 || count < most * fullFrom) return []
  return [
    finding({
      code: 'ConntrackFull',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: the kernel remembers ${count} connections, of ${most} that it may`,
      evidence: [`${name}: net.netfilter.nf_conntrack_count = ${count}, net.netfilter.nf_conntrack_max = ${most}`],
      consequence: `new connections of any kind through ${name} are dropped while the table is full (it is at ${percentOf(count / most)}); old ones go on`,
      remedy: [
        onNode(name, `sysctl -w net.netfilter.nf_conntrack_max=${Math.max(most * 4, 131_072)}`),
        onNode(
          name,
          script('conntrack -L | grep -o "src=[^ ]* dst=[^ ]*" | sort | uniq -c | sort -rn | head'),
          'who opens so many',
        ),
      ],
    }),
  ]
}

/** Fewer may come of anything: the counter is of the whole time since the machine started. */
const manyRaces = 20

/** Chains by which packets of pods are masqueraded; whatever else runs on a node has its own. */
const ofPods = /^(KUBE-|FLANNEL|CNI-|cali-|IP-MASQ|WEAVE)/

/**
 * Two packets of one socket, as of a resolver that asks for A and AAAA at once, are both new to the table; one loses
 * (kubernetes#56903). Since Linux 5.1 most are settled (`clash_resolve`); ports that are chosen one after the other race again.
 */
function races(node: NodeView): readonly Finding[] {
  const { name, machine, texts } = node
  const lost = sumOf(texts.get('conntrack-stats.txt'), 'insert_failed')
  if (lost < manyRaces) return []
  const masquerades = machine.iptables.flatMap(({ rules }) =>
    [...(rules.get('nat')?.values() ?? [])].flatMap(({ rules: all, name: chain }) =>
      all.flatMap(({ target }) =>
        target?.kind === 'masquerade' ? [{ chain, isRandom: target.randomFully === true }] : [],
      ),
    ),
  )
  const plain = masquerades.filter(({ chain, isRandom }) => !isRandom && ofPods.test(chain))
  // What still fails of a kernel that settles such races has other causes, most of them harmless.
  if (plain.length === 0 && kernelIsBefore(node, 5, 1) === false) return []
  return [
    finding({
      code: 'InsertRace',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: ${plural(lost, 'packet')} lost a race into the table of connections`,
      evidence: [
        `${name}: conntrack -S: insert_failed=${lost}, clash_resolve=${sumOf(texts.get('conntrack-stats.txt'), 'clash_resolve')}`,
        ...plain.slice(0, 3).map(({ chain }) => `${name}: nat ${chain}: MASQUERADE without --random-fully`),
      ],
      consequence:
        'now and then a lookup of a pod takes 5 s, until its resolver asks again: A and AAAA are asked at once from one port',
      remedy: [
        ...(plain.length > 0
          ? [
              onNode(
                name,
                'iptables --version',
                'from 1.6.2 on proxies and pod networks masquerade with --random-fully',
              ),
            ]
          : []),
        `kubectl patch deployment NAME -p '{"spec":{"template":{"spec":{"dnsConfig":{"options":[{"name":"single-request-reopen"}]}}}}}'   # of pods that wait; or a DNS server on each node, which asks by TCP (NodeLocal DNSCache, fairway up --node-local-dns)`,
      ],
    }),
  ]
}

/** Of all processors: `cpu=0 found=0 ... insert_failed=3 ...` */
const sumOf = (text = '', counter: string): number =>
  [...text.matchAll(new RegExp(`\\b${counter}=(\\d+)`, 'g'))].reduce((sum, [, value]) => sum + Number(value), 0)

/**
 * kube-proxy's rule against packets that conntrack cannot place, which would reach clients untranslated. IPVS translates by a
 * table of its own.
 */
function invalid(node: NodeView): readonly Finding[] {
  const { name, machine } = node
  if (usesIpvs(node)) return []
  if (setting(node, 'net.netfilter.nf_conntrack_tcp_be_liberal') !== 0) return []
  const chains = machine.iptables.flatMap(({ rules }) => rules.get('filter')?.get('KUBE-FORWARD') ?? [])
  const bad = chains.filter(
    ({ rules }) => rules.length > 0 && !rules.some((rule) => JSON.stringify(rule).includes('INVALID')),
  )
  if (bad.length === 0) return []
  return [
    finding({
      code: 'InvalidNotDropped',
      about: `node/${name}`,
      nodes: [name],
      summary: `${name}: packets that conntrack takes for invalid go on untranslated`,
      evidence: [
        `${bad[0]!.file}: KUBE-FORWARD has no rule "-m conntrack --ctstate INVALID -j DROP"`,
        `${name}: net.netfilter.nf_conntrack_tcp_be_liberal = 0`,
      ],
      consequence: 'now and then a long transfer through a Service ends with "connection reset by peer"',
      remedy: [...restart('proxy', [name]), onNode(name, 'sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1')],
    }),
  ]
}
