// Whom the cluster's DNS asks about names outside: itself, or nobody; and whether its configuration can be read at all.

import type { Case } from '#doctor/checks/check.ts'
import { isPodReady } from '#api/pod-state.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { type Asker, askersOf } from '#doctor/dns/askers.ts'
import { dnsAddressesOf } from '#doctor/dns/cluster-dns.ts'
import { type BrokenCorefile, type Forward, forwardsOf } from '#doctor/dns/forwards.ts'
import { aboutOf, editOf, filesOf, lineOf, namesIn } from '#doctor/dns/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { keyOf, type View } from '#doctor/view.ts'
import { type Ip, isLoopback } from '#lib/ip.ts'
import { podIps } from '#trace/world.ts'

export function checkNameServers({ view }: Case): readonly Finding[] {
  const { forwards, broken } = forwardsOf(view)
  return [
    ...broken.map(unreadable),
    ...forwards.flatMap((forward) => {
      const askers = askersOf(view, forward)
      return [...loops(view, forward, askers), ...empty(forward, askers)]
    }),
  ]
}

function loops(view: View, forward: Forward, askers: readonly Asker[]): readonly Finding[] {
  const { pods, isNodeLocal, binds, port, endsInLoops } = forward
  const own = new Set(isNodeLocal ? binds : [...binds, ...dnsAddressesOf(view), ...pods.flatMap(podIps)])
  const isOwn = (target: { readonly ip: Ip; readonly port: number }) =>
    own.has(target.ip) || (isLoopback(target.ip) && !isNodeLocal && target.port === port)
  // A kubelet may have handed on another file than the node's, and whoever lives has not met itself.
  const isAlive = endsInLoops && pods.some(isPodReady)
  const hit = askers.filter(({ servers, file }) => servers.some(isOwn) && !(file?.isKnown === false && isAlive))
  const [first] = hit
  if (first === undefined) return []
  const itself = first.servers.filter(isOwn)
  const share = itself.length / first.servers.length
  return [
    finding({
      code: 'DnsLoop',
      about: aboutOf(forward),
      summary: `the cluster DNS forwards ${namesIn(forward)} to itself: ${someOf(itself.map(({ ip }) => ip))}`,
      evidence: [lineOf(forward), ...filesOf(hit)],
      consequence: `${percentOf(share)} of lookups of ${namesIn(forward)} fail${endsInLoops ? '; a server that notices ends at once, and then no name is answered at all' : ''}`,
      remedy: [
        first.file?.servers.some((ip) => own.has(ip) || isLoopback(ip)) === true
          ? editOf(
              forward,
              'the address of a real server instead; or have the kubelet hand on a file that has one (resolvConf: /run/systemd/resolve/resolv.conf), and restart the DNS',
            )
          : editOf(forward, 'the address of a real server instead'),
      ],
      restsOn: hit.some(({ file }) => file?.isKnown === false) ? ['resolv.conf of the pods of the DNS'] : [],
    }),
  ]
}

function empty(forward: Forward, askers: readonly Asker[]): readonly Finding[] {
  const hit = askers.filter(({ servers, file }) => servers.length === 0 && file !== undefined)
  if (hit.length === 0) return []
  const running = askers.filter(({ pod }) => pod !== undefined && isPodReady(pod))
  return [
    finding({
      code: 'DnsUpstreamMissing',
      about: aboutOf(forward),
      summary: `the cluster DNS has nobody to ask for ${namesIn(forward)}: its resolv.conf names no server`,
      evidence: [lineOf(forward), ...filesOf(hit)],
      consequence: `${running.length === 0 ? '' : `${percentOf(running.filter((asker) => hit.includes(asker)).length / running.length)} of lookups of ${namesIn(forward)} fail; `}a server that starts anew does not come up`,
      remedy: [
        editOf(
          forward,
          'the address of a real server instead; or a nameserver in the resolv.conf of the nodes, and restart the DNS',
        ),
      ],
      restsOn: hit.some(({ file }) => file?.isKnown === false) ? ['resolv.conf of the pods of the DNS'] : [],
    }),
  ]
}

const unreadable = ({ map, error, pods }: BrokenCorefile): Finding => {
  const isAlive = pods.some(isPodReady)
  return finding({
    code: 'CorefileBroken',
    severity: isAlive ? 'warning' : 'error',
    about: `configmap/${keyOf(map)}`,
    summary: `the Corefile of ${keyOf(map)} cannot be read: line ${error.line}: ${error.message}`,
    evidence: [
      `configmap ${keyOf(map)}, line ${error.line}: ${linesOf(map.data?.['Corefile'])[error.line - 1]?.trim() ?? ''}`,
    ],
    consequence: isAlive
      ? 'servers go on with what they read before; none that starts anew comes up'
      : '100% of lookups of pods fail: no server comes up',
    remedy: [`kubectl edit configmap ${inNamespace(keyOf(map))}   # line ${error.line}`],
  })
}

const linesOf = (text = ''): readonly string[] => text.split('\n')
