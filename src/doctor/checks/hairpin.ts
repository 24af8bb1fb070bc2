// A pod that is chosen for its own connection needs a bridge that sends back by the port that it came from.

import { onNode, script } from '#doctor/remedy.ts'
import { toNumber } from '#trace/fraction.ts'
import { decidingStep, renderStep } from '#doctor/compare/owner.ts'
import { inNamespace, percentOf, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import { type Case, servicesOf } from '#doctor/checks/check.ts'
import { frontsOf } from '#doctor/expect/expect.ts'
import { slicesByService, usable } from '#doctor/expect/endpoints.ts'
import { keyOf, podsByIp } from '#doctor/view.ts'
import { firstPacket } from '#trace/packet.ts'
import { traceWorld } from '#trace/trace.ts'
import { podName, standingOf } from '#trace/world.ts'

type Failed = {
  readonly node: string
  readonly pod: string
  readonly service: string
  readonly share: number
  readonly evidence: string
}

/** One pod of each node and bridge port stands for its like: ports of one node are made alike, but each may be changed. */
export function checkHairpin(it: Case): readonly Finding[] {
  const { view } = it
  const slices = slicesByService(view.slices ?? [])
  const pods = podsByIp(view)
  const tried = new Set<string>()
  const failed: Failed[] = []
  for (const service of servicesOf(it))
    for (const front of frontsOf(service, slices.get(keyOf(service)) ?? []).filter(
      ({ kind }) => kind === 'cluster-ip',
    )) {
      const backends = usable(front.backends)
      for (const backend of backends) {
        const pod = pods.get(backend.ip)
        if (
          pod === undefined ||
          tried.has(`${keyOf(service)} ${podName(pod)}`) ||
          (it.only === undefined && tried.has(podName(pod)))
        )
          continue
        tried.add(podName(pod)).add(`${keyOf(service)} ${podName(pod)}`)
        const from = standingOf(view.world, backend.ip)
        if (from.kind !== 'behind') continue
        const packet = firstPacket({
          protocol: front.protocol,
          source: backend.ip,
          destination: front.ip!,
          destinationPort: front.port,
        })
        for (const way of traceWorld(view.world, { packet, from })) {
          const { outcome } = way
          if (outcome.kind !== 'ended' || outcome.end.kind !== 'drop' || !/hairpin/.test(outcome.end.why ?? ''))
            continue
          const step = decidingStep(way.steps)
          failed.push({
            node: from.machine.name,
            pod: podName(pod),
            service: keyOf(service),
            share: toNumber(way.share),
            evidence: step ? renderStep(step) : '',
          })
        }
      }
    }
  return [...Map.groupBy(failed, ({ node }) => node)].map(([node, list]) => toFinding(node, list))
}

function toFinding(node: string, list: readonly Failed[]): Finding {
  const services = [...new Set(list.map(({ service }) => service))]
  return finding({
    code: 'HairpinOff',
    about: services.length === 1 ? `svc/${services[0]}` : `node/${node}`,
    services,
    nodes: [node],
    summary: `${node}: a pod that is chosen for its own connection does not get it: hairpin_mode is off`,
    evidence: list.slice(0, 4).map(({ evidence }) => evidence),
    consequence: `${someOf(list.map(({ pod }) => inNamespace(pod)))}: ${percentOf(Math.max(...list.map(({ share }) => share)))} of its connections to ${someOf(services)} time out, those that would come to itself`,
    remedy: [onNode(node, script('for port in /sys/class/net/*/brport/hairpin_mode; do echo 1 >$port; done'))],
  })
}
