// effect: the Node object and its lease at the API server
// Makes this machine known and keeps it known: the Node is created where it is missing, its status told when it changes
// and every five minutes, its lease renewed every ten seconds. What others write on the Node (pod CIDR, taints, labels)
// is left alone.
import { nodes, type Node } from '#api/core.ts'
import { isAlreadyExists, isNotFound, type Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import { holdLease } from '#client/lease.ts'
import type { Recorder } from '#client/events.ts'
import type { Clock } from '#daemon/clock.ts'
import { createLoop, type Loop } from '#daemon/loop.ts'
import type { Logger } from '#daemon/log.ts'
import { planNode, planNodeStatus, saysTheSame, type NodeInput } from '#node/register/node-object.ts'

export type RegistrationOptions = {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly recorder: Recorder
  readonly signal: AbortSignal
  readonly input: () => NodeInput
  /** false: someone else creates the Node, and until then there is nothing to tell */
  readonly registerNode: boolean
  /** nothing is reported before: a node that says it is ready has told how its pods are */
  readonly told: Promise<void>
  /** called after the first report */
  readonly onReported: () => void
  /** called with the pod CIDRs when the node has got them, or others */
  readonly onPodCidrs: (cidrs: readonly string[]) => void
}

const reportMs = 300_000

export class Registration {
  readonly #o: RegistrationOptions
  readonly #loop: Loop
  #node: Node | undefined
  #isRegistered = false
  #isReady: boolean | undefined
  #reportedAt = -Infinity
  #lease: { readonly uid: string; readonly stop: AbortController; readonly held: Promise<void> } | undefined

  constructor(options: RegistrationOptions) {
    this.#o = options
    const { clock, log } = options
    this.#loop = createLoop({
      name: 'node-status',
      clock,
      log,
      act: () => this.#report(),
      resyncMs: 10_000,
      onResync: () => ['node'],
      backoffMs: { first: 100, most: 5000 },
    })
  }

  /** Something that the status says has changed. */
  mark(): void {
    this.#loop.mark('node')
  }

  /** Resolves when the signal is aborted. */
  async run(): Promise<void> {
    const { client, log, signal, input } = this.#o
    informer(client, nodes, {
      fieldSelector: `metadata.name=${input().name}`,
      signal,
      log,
      onChange: ({ kind, value }) => this.#follow(kind === 'removed' ? undefined : value),
      onSync: () => this.mark(),
    })
    await this.#o.told.catch(() => undefined)
    this.mark()
    await this.#loop.run(signal)
    await this.#lease?.held
  }

  #follow(node: Node | undefined): void {
    this.#node = node
    if (node === undefined) this.#isRegistered = false
    const { podCIDR, podCIDRs } = node?.spec ?? {}
    const cidrs = podCIDRs?.length ? podCIDRs : podCIDR ? [podCIDR] : []
    if (cidrs.length > 0) this.#o.onPodCidrs(cidrs)
    this.mark()
  }

  async #report(): Promise<void> {
    const { client, clock, input } = this.#o
    const wanted = input()
    const node = await this.#registered(wanted)
    if (node === undefined) return
    this.#node = node
    const status = planNodeStatus(wanted, node.status, clock.now())
    const isSame = saysTheSame(status, node.status)
    if (isSame && clock.monotonicMs() - this.#reportedAt < reportMs) return
    try {
      this.#node = await client.patch(nodes, wanted.name, { status }, { type: 'strategic', subresource: 'status' })
    } catch (error) {
      if (isNotFound(error)) this.#node = undefined
      throw error
    }
    if (this.#reportedAt === -Infinity) this.#o.onReported()
    this.#reportedAt = clock.monotonicMs()
    this.#tellReadiness(wanted)
  }

  /** undefined while there is no Node and somebody else has to create it. */
  async #registered(wanted: NodeInput): Promise<Node | undefined> {
    if (this.#node !== undefined && this.#isRegistered) return this.#node
    if (this.#node === undefined && !this.#o.registerNode) return undefined
    const node = this.#node === undefined ? await this.#register(wanted) : await this.#takeOver(wanted)
    this.#isRegistered = true
    return node
  }

  async #register(wanted: NodeInput): Promise<Node> {
    const { client, log, clock } = this.#o
    log.info('Attempting to register node', { node: wanted.name })
    const planned = planNode(wanted)
    try {
      // With its status from the start, so that nobody sees a node without addresses.
      const status = planNodeStatus(wanted, undefined, clock.now())
      const created = await client.create(nodes, { ...planned, status })
      log.info('Successfully registered node', { node: wanted.name })
      this.#holdLease(created)
      return created
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    return this.#takeOver(wanted)
  }

  async #takeOver(wanted: NodeInput): Promise<Node> {
    this.#o.log.info('Node was previously registered', { node: wanted.name })
    const { labels = {} } = planNode(wanted).metadata!
    const known = this.#node?.metadata?.labels ?? {}
    const hasAll = Object.entries(labels).every(([name, value]) => known[name] === value)
    const found = hasAll
      ? this.#node!
      : await this.#o.client.patch(nodes, wanted.name, { metadata: { labels } }, { type: 'merge' })
    this.#holdLease(found)
    return found
  }

  #holdLease({ metadata }: Node): void {
    const { client, clock, log, signal, input } = this.#o
    const { name } = input()
    const uid = metadata?.uid ?? ''
    if (this.#lease?.uid === uid) return
    // A lease goes with its Node: another Node of this name has another one.
    this.#lease?.stop.abort()
    const stop = new AbortController()
    const held = holdLease({
      client,
      namespace: 'kube-node-lease',
      name,
      holder: name,
      signal: AbortSignal.any([signal, stop.signal]),
      clock,
      log,
      durationSeconds: 40,
      renewMs: 10_000,
      owner: { apiVersion: 'v1', kind: 'Node', name, uid },
    })
    this.#lease = { uid, stop, held }
  }

  #tellReadiness({ name, problems }: NodeInput): void {
    const isReady = problems.length === 0
    if (this.#isReady === isReady) return
    this.#isReady = isReady
    const reason = isReady ? 'NodeReady' : 'NodeNotReady'
    const about = { apiVersion: 'v1', kind: 'Node', name, uid: name }
    this.#o.recorder.event(about, 'Normal', reason, `Node ${name} status is now: ${reason}`)
  }
}
