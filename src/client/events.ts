// effect: requests to the API server
// Events: what a part tells about an object, as `kubectl describe` shows it. The same words about the same object raise
// a count instead of making a new Event, and an object that causes too many is not heard any more for a while.
import { events, type Event, type ObjectReference } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { apiVersionOf, type Resource } from '#api/resource.ts'
import { formatTime } from '#api/time.ts'
import { isNotFound, type Client } from '#client/client.ts'
import { systemClock, type Clock } from '#daemon/clock.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'

export interface Recorder {
  /** Returns at once; the Event is written afterwards, and a failure only logged. */
  event(about: ObjectReference | ApiObject, type: 'Normal' | 'Warning', reason: string, message: string): void
  /** Resolves when all Events so far are written (or were given up). */
  flush(): Promise<void>
}

export type RecorderOptions = {
  /** 'kubelet', 'deployment-controller' ...: the column FROM of `kubectl describe` */
  readonly component: string
  readonly host?: string
  readonly clock?: Clock
  readonly log?: Logger
}

/** For objects that come without their kind, as those of a list do. */
export function referenceTo(resource: Resource, object: ApiObject, fieldPath?: string): ObjectReference {
  return bare(apiVersionOf(resource), resource.kind, object, fieldPath)
}

/** At most so many different Events are remembered for counting. */
const mostRemembered = 2000
/** The same words after so long are a new Event. */
const forgetMs = 600_000
/** client-go's limits: 25 Events about an object at once, then one in five minutes. */
const burst = 25
const refillMs = 300_000

type Known = { name: string; count: number; first: string; lastMs: number; written: Promise<void> }

export function createRecorder(client: Client, options: RecorderOptions): Recorder {
  const { component, host = '', clock = systemClock, log } = options
  const known = new Map<string, Known>()
  const allowance = createAllowance(clock)
  let lastNanos = 0n

  const write = async (entry: Known, about: ObjectReference, type: string, reason: string, message: string) => {
    const namespace = about.namespace || 'default'
    const time = formatTime(clock.now())
    try {
      if (entry.count > 1) {
        const patch = { count: entry.count, lastTimestamp: time }
        try {
          await client.patch(events, entry.name, patch, { type: 'merge', namespace })
          return
        } catch (error) {
          // Events live an hour: the one that counted is gone.
          if (!isNotFound(error)) throw error
        }
      }
      const event: Event = {
        metadata: { name: entry.name, namespace },
        involvedObject: about,
        type,
        reason,
        message,
        source: { component, ...(host !== '' && { host }) },
        firstTimestamp: entry.first,
        lastTimestamp: time,
        count: entry.count,
        reportingComponent: component,
        reportingInstance: host,
      }
      await client.create(events, event)
    } catch (error) {
      log?.debug('cannot write event', { reason, message, err: messageOf(error) })
    }
  }

  return {
    event(about, type, reason, message) {
      const reference = 'metadata' in about ? referenceOf(about) : (about as ObjectReference)
      if (!allowance(`${reference.kind}/${reference.namespace}/${reference.name}/${reference.uid}`)) return
      const nowMs = clock.now()
      const key = [
        reference.kind,
        reference.namespace,
        reference.name,
        reference.uid,
        reference.fieldPath,
        type,
        reason,
        message,
      ].join('\n')
      let entry = known.get(key)
      if (entry === undefined || nowMs - entry.lastMs > forgetMs) {
        // as client-go names them: the object's name and the time in hex nanoseconds
        lastNanos = maxOf(BigInt(Math.round(nowMs * 1000)) * 1000n, lastNanos + 1n)
        const name = `${reference.name}.${lastNanos.toString(16)}`
        entry = { name, count: 0, first: formatTime(nowMs), lastMs: nowMs, written: Promise.resolve() }
      }
      const current = entry
      current.count++
      current.lastMs = nowMs
      // The newest stand at the end of the map, so that the oldest are forgotten first.
      known.delete(key)
      known.set(key, current)
      if (known.size > mostRemembered) known.delete(known.keys().next().value!)
      current.written = current.written.then(() => write(current, reference, type, reason, message))
    },
    async flush() {
      await Promise.all([...known.values()].map(({ written }) => written))
    },
  }
}

function referenceOf(object: ApiObject): ObjectReference {
  const { apiVersion = 'v1', kind, metadata } = object
  if (kind === undefined)
    throw new Error(`an event about ${metadata?.name ?? 'an object'} needs its kind: use referenceTo`)
  return bare(apiVersion, kind, object)
}

function bare(apiVersion: string, kind: string, { metadata = {} }: ApiObject, fieldPath?: string): ObjectReference {
  const { name, namespace, uid, resourceVersion } = metadata
  return {
    apiVersion,
    kind,
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(fieldPath !== undefined && { fieldPath }),
  }
}

const maxOf = (a: bigint, b: bigint) => (a > b ? a : b)

function createAllowance(clock: Clock): (key: string) => boolean {
  const buckets = new Map<string, { left: number; atMs: number }>()
  return (key) => {
    const nowMs = clock.monotonicMs()
    const bucket = buckets.get(key) ?? { left: burst, atMs: nowMs }
    bucket.left = Math.min(burst, bucket.left + (nowMs - bucket.atMs) / refillMs)
    bucket.atMs = nowMs
    buckets.delete(key)
    buckets.set(key, bucket)
    if (buckets.size > mostRemembered) buckets.delete(buckets.keys().next().value!)
    if (bucket.left < 1) return false
    bucket.left--
    return true
  }
}
