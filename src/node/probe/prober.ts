// effect: timers
// Asks containers how they are: one worker per probe, whose verdicts are kept by container id, so that a new instance of
// a container begins without any. Who acts on a verdict is told the pod.
import type { Container, Pod, Probe } from '#api/core.ts'
import type { Stored } from '#api/stored.ts'
import type { Clock } from '#daemon/clock.ts'
import type { ProbeKind, ProbeVerdict } from '#node/pod/fault.ts'
import { isSidecar } from '#node/pod/restart.ts'
import {
  endsProbing,
  extendRun,
  firstPause,
  isEarly,
  pauseBeforeNext,
  verdictOf,
  type Outcome,
  type Run,
} from '#node/probe/verdict.ts'
import type { ProbeResult } from '#node/probe/run-probe.ts'
import type { ContainerStatus } from '#node/runtime.ts'

export type ProberOptions = {
  readonly clock: Clock
  /** the newest instance of a container of a pod */
  readonly newest: (uid: string, container: string) => ContainerStatus | undefined
  /** whether the container counts as started, which the other probes wait for */
  readonly isStarted: (uid: string, container: Container, id: string) => boolean
  readonly probe: (pod: Stored<Pod>, container: Container, id: string, probe: Probe) => Promise<ProbeResult>
  readonly onVerdict: (uid: string) => void
  /** a failure or warning worth an event */
  readonly onTrouble: (pod: Stored<Pod>, container: Container, kind: ProbeKind, result: ProbeResult) => void
}

const kinds = ['startup', 'readiness', 'liveness'] as const
const probeOf = (container: Container, kind: ProbeKind): Probe | undefined => container[`${kind}Probe`]

export class Prober {
  readonly #o: ProberOptions
  readonly #workers = new Map<string, Map<string, Worker>>()
  readonly #verdicts = new Map<string, Map<ProbeKind, Outcome>>()

  constructor(options: ProberOptions) {
    this.#o = options
  }

  readonly verdict: ProbeVerdict = (id, kind) => this.#verdicts.get(id)?.get(kind)

  /** Makes sure that the pod's probes run, and looks at its containers anew. */
  watch(pod: Stored<Pod>): void {
    const uid = pod.metadata.uid
    const workers = this.#workers.get(uid) ?? new Map<string, Worker>()
    this.#workers.set(uid, workers)
    for (const container of [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers])
      for (const kind of kinds) {
        const probe = probeOf(container, kind)
        if (probe === undefined) continue
        const key = `${container.name}/${kind}`
        const worker =
          workers.get(key) ?? new Worker(this.#o, kind, (id, outcome) => this.#record(uid, id, kind, outcome))
        workers.set(key, worker)
        worker.look(pod, container, probe)
      }
  }

  /** A pod that is on its way out is asked only whether it is ready. */
  stopJudging(uid: string): void {
    for (const [key, worker] of this.#workers.get(uid) ?? []) if (!key.endsWith('/readiness')) worker.stop()
  }

  forget(uid: string, containerIds: Iterable<string>): void {
    for (const worker of this.#workers.get(uid)?.values() ?? []) worker.stop()
    this.#workers.delete(uid)
    for (const id of containerIds) this.#verdicts.delete(id)
  }

  #record(uid: string, id: string, kind: ProbeKind, outcome: Outcome): void {
    const verdicts = this.#verdicts.get(id) ?? new Map<ProbeKind, Outcome>()
    if (verdicts.get(kind) === outcome) return
    this.#verdicts.set(id, verdicts.set(kind, outcome))
    // Readiness and liveness wait for the startup probe's success.
    if (kind === 'startup') for (const worker of this.#workers.get(uid)?.values() ?? []) worker.wake()
    this.#o.onVerdict(uid)
  }
}

/** One probe of one container of one pod. */
class Worker {
  readonly #o: ProberOptions
  readonly #kind: ProbeKind
  readonly #record: (id: string, outcome: Outcome) => void
  #pod: Stored<Pod> | undefined
  #container: Container | undefined
  #probe: Probe | undefined
  #id = ''
  #run: Run | undefined
  #everSucceeded = false
  #tries = 0
  #isOver = false
  #isBusy = false
  #cancel = () => {}

  constructor(options: ProberOptions, kind: ProbeKind, record: (id: string, outcome: Outcome) => void) {
    this.#o = options
    this.#kind = kind
    this.#record = record
  }

  look(pod: Stored<Pod>, container: Container, probe: Probe): void {
    this.#pod = pod
    this.#container = container
    this.#probe = probe
    const newest = this.#o.newest(pod.metadata.uid, container.name)
    if (newest?.state !== 'running' || newest.id === this.#id) return
    this.#id = newest.id
    this.#run = undefined
    this.#everSucceeded = false
    this.#tries = 0
    this.#isOver = false
    this.wake()
  }

  /** Something has changed: time to see whether to ask. */
  wake(): void {
    if (!this.#isBusy && !this.#isOver && this.#id !== '') this.#plan(this.#untilDue())
  }

  stop(): void {
    this.#isOver = true
    this.#cancel()
  }

  #plan(afterMs: number): void {
    this.#cancel()
    this.#cancel = this.#o.clock.after(afterMs, () => void this.#ask())
  }

  /** How long until the first probe is due; 0 or less once it is. */
  #untilDue(): number {
    const startedAt = this.#current()?.startedAt ?? this.#o.clock.now()
    return startedAt + firstPause(this.#probe!, this.#kind) - this.#o.clock.now()
  }

  #current(): ContainerStatus | undefined {
    const newest = this.#o.newest(this.#pod!.metadata.uid, this.#container!.name)
    return newest?.id === this.#id && newest.state === 'running' ? newest : undefined
  }

  async #ask(): Promise<void> {
    const [pod, container, probe, id, kind] = [this.#pod!, this.#container!, this.#probe!, this.#id, this.#kind]
    // An instance that has ended is asked no more; look() takes up the next one.
    if (this.#current() === undefined) return
    const started = this.#o.isStarted(pod.metadata.uid, container, id)
    if (kind !== 'startup' && !started) return
    if (kind === 'startup' && started) return this.#record(id, 'success')
    this.#isBusy = true
    const result = await this.#o.probe(pod, container, id, probe).finally(() => (this.#isBusy = false))
    // Meanwhile the container may have been replaced: its answer says nothing about the next one.
    if (id !== this.#id) return this.wake()
    if (!this.#isOver && this.#current() !== undefined) this.#judge(result)
  }

  #judge(result: ProbeResult): void {
    const [pod, container, probe, kind] = [this.#pod!, this.#container!, this.#probe!, this.#kind]
    const outcome: Outcome = result.kind === 'success' || result.kind === 'warning' ? 'success' : 'failure'
    const timing = { everSucceeded: this.#everSucceeded, tries: this.#tries, sinceDueMs: -this.#untilDue() }
    const isTooEarly = outcome === 'failure' && isEarly(probe, kind, timing)
    if (result.kind !== 'success' && !isTooEarly) this.#o.onTrouble(pod, container, kind, result)
    this.#everSucceeded ||= outcome === 'success'
    this.#tries++
    if (!isTooEarly && result.kind !== 'unknown') {
      this.#run = extendRun(this.#run, outcome)
      const verdict = verdictOf(probe, this.#run)
      if (verdict !== undefined) {
        this.#record(this.#id, verdict)
        if (endsProbing(kind, verdict)) return
      }
    }
    this.#plan(pauseBeforeNext(probe, kind, { ...timing, everSucceeded: this.#everSucceeded }))
  }
}
