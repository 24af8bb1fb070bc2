// The pod network itself, without any Service: from a pod of each node to one of each other, and back.

import type { Pod } from '#api/core.ts'
import type { Code } from '#doctor/codes.ts'
import { codeOfEnding, remedyOfEnding, summaryOfEnding } from '#doctor/compare/ending.ts'
import { decidingStep, renderStep } from '#doctor/compare/owner.ts'
import { percentOf, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { Case } from '#doctor/checks/check.ts'
import type { View } from '#doctor/view.ts'
import { toNumber } from '#trace/fraction.ts'
import { renderWay } from '#trace/outcome.ts'
import { firstPacket } from '#trace/packet.ts'
import { type Traced, traceWorld } from '#trace/trace.ts'
import { machineNamed, podIps, podName, standingOf } from '#trace/world.ts'
import type { Step } from '#trace/way.ts'

type Broken = {
  readonly code: Code
  readonly from: string
  readonly to: string
  /** where it broke */
  readonly at: string
  readonly share: number
  readonly step: Step | undefined
  readonly text: string
}

/** The port does not matter to a network. */
const anyPort = 80

export function checkPaths({ view }: Case): readonly Finding[] {
  const samples = pathSamples(view)
  const broken: Broken[] = []
  for (const from of samples)
    for (const to of samples) {
      if (from === to) continue
      for (const family of [4, 6] as const) broken.push(...tryPath(view, from, to, family))
    }
  return [...Map.groupBy(broken, ({ code, at }) => `${code} ${at}`).values()].map(toFinding)
}

/** A pod of each node whose routes are known. */
export const pathSamples = (view: View): readonly Pod[] =>
  view.nodes.filter(({ machine }) => machine.routes !== undefined).flatMap(({ name }) => sampleOf(view, name))

/** A pod of a node that has an address of its own. */
function sampleOf({ pods = [] }: View, node: string): readonly Pod[] {
  const found = pods.find(
    ({ spec, status, metadata }) =>
      spec?.nodeName === node &&
      spec.hostNetwork !== true &&
      status?.phase === 'Running' &&
      metadata?.deletionTimestamp === undefined &&
      status.podIP !== undefined,
  )
  return found === undefined ? [] : [found]
}

function tryPath(view: View, from: Pod, to: Pod, family: 4 | 6): readonly Broken[] {
  const ofFamily = (pod: Pod) => podIps(pod).find((ip) => ip.includes(':') === (family === 6))
  const [source, destination] = [ofFamily(from), ofFamily(to)]
  if (source === undefined || destination === undefined) return []
  const packet = firstPacket({ protocol: 'tcp', source, destination, destinationPort: anyPort })
  const standing = standingOf(view.world, source)
  if (standing.kind === 'outside') return []
  return traceWorld(view.world, { packet, from: standing }).flatMap((way): readonly Broken[] => {
    const { outcome, answer } = way
    // Whether somebody listens there is another matter.
    const isFine = outcome.kind === 'delivered' && ['returns', 'refused', 'none'].includes(answer.kind)
    const ends = [outcome, ...(answer.kind === 'lost' ? [answer.outcome] : [])]
    const isUnknown = ends.some((end) => isUnfollowed(view, end))
    if (isFine || isUnknown || way.conditions.length > 0) return []
    return [describe(way, podName(from), podName(to))]
  })
}

/** Interfaces behind which a program, or another protocol than those that are walked, carries packets on. */
const carriers = ['tun', 'wireguard', 'gre', 'geneve', 'sit', 'ip6tnl']

/** Whether the inputs do not tell where the packet goes from there. */
export function isUnfollowed({ world }: View, outcome: Traced['outcome']): boolean {
  if (outcome.kind === 'left') {
    const links = machineNamed(world, outcome.machine)?.links
    return carriers.includes(links?.find(({ name }) => name === outcome.device)?.kind ?? '')
  }
  return outcome.kind === 'sent' || (outcome.kind === 'ended' && outcome.end.kind === 'unknown')
}

function describe(way: Traced, from: string, to: string): Broken {
  const { outcome, answer } = way
  const steps = outcome.kind === 'delivered' && answer.kind !== 'none' ? answer.steps : way.steps
  const ended = outcome.kind === 'delivered' && answer.kind === 'lost' ? answer.outcome : outcome
  const step = ended.kind === 'ended' ? decidingStep(steps) : undefined
  const at = ended.kind === 'delivered' ? to : ended.machine
  const code = step === undefined ? (ended.kind === 'left' ? 'RouteMissing' : 'PathBroken') : codeOfEnding(step)
  return { code, from, to, at, share: toNumber(way.share), step, text: renderWay(way) }
}

function toFinding(list: readonly Broken[]): Finding {
  const [{ code, at, step, from, to, text }] = list as [Broken]
  const pairs = [...new Set(list.map((item) => `${item.from} to ${item.to}`))]
  return finding({
    code,
    about: `node/${at}`,
    nodes: [at],
    summary: summaryOfEnding(code, at),
    evidence: [...(step === undefined ? [] : [renderStep(step)]), `from pod ${from} to pod ${to}: ${text}`],
    consequence: `packets of pods do not arrive, or are not answered, in ${percentOf(Math.max(...list.map(({ share }) => share)))} of connections: ${someOf(pairs, 3)}; Services fail for those endpoints`,
    remedy: remedyOfEnding(code, [at], step === undefined ? [] : [step]),
  })
}
