// effect: requests to the API server
// Creating and deleting pods for a workload, with the events that tell of it.

import { type Pod, pods } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import { eventAbout, targetOf } from '#client/control/act.ts'
import { type Writer, isNamespaceGoing } from '#client/control/writer.ts'
import { messageOf } from '#daemon/error.ts'

export type PodWrites = {
  /** Creates them in batches of 1, 2, 4 ...; answers the first failure, after which no more are tried. */
  create(list: readonly Pod[]): Promise<Error | undefined>
  /** Deletes them all at once; answers the first failure. */
  remove(list: readonly Stored<Pod>[]): Promise<Error | undefined>
}

export function podWrites(writer: Writer, resource: Resource, owner: ApiObject, signal: AbortSignal): PodWrites {
  const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    writer.perform([eventAbout(resource, owner, type, reason, message)])

  const createOne = async (pod: Pod): Promise<Error | 'namespace is going' | undefined> => {
    try {
      const made = await writer.create(pods, pod, signal)
      await say('Normal', 'SuccessfulCreate', `Created pod: ${made.metadata?.name}`)
      return undefined
    } catch (error) {
      if (signal.aborted) throw error
      if (isNamespaceGoing(error)) return 'namespace is going'
      await say('Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
      return error as Error
    }
  }
  const removeOne = async (pod: Stored<Pod>): Promise<Error | undefined> => {
    try {
      await writer.perform([{ kind: 'delete', resource: pods, target: targetOf(pod) }], signal)
      await say('Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
      return undefined
    } catch (error) {
      if (signal.aborted) throw error
      await say('Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`)
      return error as Error
    }
  }
  return {
    async create(list) {
      let at = 0
      for (const size of slowStart(list.length)) {
        const results = await Promise.all(list.slice(at, at + size).map(createOne))
        const failure = results.find((result) => result !== undefined)
        if (failure !== undefined) return failure === 'namespace is going' ? undefined : failure
        at += size
      }
      return undefined
    },
    async remove(list) {
      return (await Promise.all(list.map(removeOne))).find((result) => result !== undefined)
    },
  }
}

/**
 * Sizes of the batches in which `count` pods are created: 1, 2, 4 ... A batch begins only when the one before
 * succeeded whole, so that what always fails (a quota, a bad template) fails once and not five hundred times.
 */
export function slowStart(count: number): readonly number[] {
  const batches: number[] = []
  for (let left = count, size = 1; left > 0; left -= size, size *= 2) {
    size = Math.min(size, left)
    batches.push(size)
  }
  return batches
}
