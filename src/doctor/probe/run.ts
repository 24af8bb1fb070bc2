// effect: sends probes
// All probes of a plan, a few at a time, until they are done or time is up; what surprises is tried once more.
import { predict } from '#doctor/probe/predict.ts'
import type { Place, Probe, ProbePlan } from '#doctor/probe/plan.ts'
import { isSurprise, type Probed } from '#doctor/probe/probed.ts'
import { sendProbe } from '#doctor/probe/send.ts'
import type { View } from '#doctor/view.ts'

const triesEach = 3
/** Probes, each with its tries side by side. */
const atOnce = 8
/** Of a whole run; what is left then was not tried. */
const mostRunMs = 30_000

/** `netnsOf`: the path of the namespace of a place; undefined: this one. */
export async function runProbes(
  view: View,
  { probes }: ProbePlan,
  netnsOf: (place: Place) => string | undefined,
  signal: AbortSignal,
): Promise<readonly Probed[]> {
  const isOver = AbortSignal.any([signal, AbortSignal.timeout(mostRunMs)])
  const round = async (list: readonly Probe[]): Promise<readonly Probed[]> => {
    const done: Probed[] = []
    const queue = [...list]
    const lane = async () => {
      for (let probe = queue.shift(); probe !== undefined && !isOver.aborted; probe = queue.shift()) {
        const netns = netnsOf(probe.from)
        const count = probe.kind === 'name' ? 1 : triesEach
        const tries = await Promise.all(Array.from({ length: count }, () => sendProbe(probe, netns)))
        done.push({ probe, tries, prediction: predict(view, probe) })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
    return done
  }
  const first = await round(probes)
  const again = new Map(
    (await round(first.filter(isSurprise).map(({ probe }) => probe))).map((item) => [item.probe, item]),
  )
  signal.throwIfAborted()
  return first.map((item) => again.get(item.probe) ?? item)
}
