// effect: watches of the API server
// The cluster's objects as they are now, and waiting until they are as they shall be: the server tells, nothing polls.
import { deployments, type Deployment } from '#api/apps.ts'
import type { ApiObject } from '#api/meta.ts'
import { nodes, pods, services, type Node, type Pod, type Service } from '#api/core.ts'
import { endpointSlices, type EndpointSlice } from '#api/discovery.ts'
import type { Client } from '#client/client.ts'
import { informer } from '#client/informer.ts'
import { UserError } from '#daemon/error.ts'
import { silentLog } from '#daemon/log.ts'
import {
  type Expected,
  type Observed,
  type Waiting,
  waitingFor,
  waitingForNews,
  waitingForNodes,
} from '#lab/readiness.ts'

export interface ClusterWatch extends Disposable {
  /** Resolves when everything was listed once. */
  readonly synced: Promise<void>
  observe(): Observed
  /**
   * Resolves when `unmet` answers nothing any more; asked again after every change. Throws a UserError with what is
   * missing when the time is over, or as soon as there is no hope.
   */
  until(unmet: (observed: Observed) => readonly Waiting[], limitMs: number): Promise<void>
}

export function watchCluster(client: Client, signal: AbortSignal): ClusterWatch {
  const ended = new AbortController()
  const both = AbortSignal.any([signal, ended.signal])
  const changed = new EventTarget()
  const options = { signal: both, log: silentLog, onChange: () => void changed.dispatchEvent(new Event('change')) }
  const caches = {
    nodes: informer<Node>(client, nodes, options),
    deployments: informer<Deployment>(client, deployments, options),
    pods: informer<Pod>(client, pods, options),
    services: informer<Service>(client, services, options),
    slices: informer<EndpointSlice>(client, endpointSlices, options),
  }
  const observe = (): Observed => ({
    nodes: [...caches.nodes.values()],
    deployments: [...caches.deployments.values()],
    pods: [...caches.pods.values()],
    services: [...caches.services.values()],
    slices: [...caches.slices.values()],
  })
  const synced = Promise.all(Object.values(caches).map(({ synced }) => synced)).then(() => undefined)
  // Whoever does not wait for it is not to be ended by it.
  synced.catch(() => undefined)
  return {
    synced,
    observe,
    until: (unmet, limitMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const look = () => {
        const waiting = unmet(observe())
        if (waiting.length === 0) resolve()
        const hopeless = waiting.filter((one) => one.hopeless)
        if (hopeless.length > 0) reject(notReady('these will not become ready', hopeless))
      }
      const timer = setTimeout(() => {
        reject(notReady(`not ready after ${limitMs / 1000} s`, unmet(observe())))
      }, limitMs)
      const stop = () => reject(both.reason)
      changed.addEventListener('change', look)
      both.addEventListener('abort', stop, { once: true })
      look()
      return promise.finally(() => {
        clearTimeout(timer)
        changed.removeEventListener('change', look)
        both.removeEventListener('abort', stop)
      })
    },
    [Symbol.dispose]: () => ended.abort(new Error('watching ended')),
  }
}

const notReady = (what: string, waiting: readonly Waiting[]): UserError =>
  new UserError(`${what}:\n${waiting.map((one) => `  ${one.what}`).join('\n')}`, {
    code: 'NotReady',
    remedy: 'the cluster is up: look at it with kubectl describe and fairway logs, or remove it with fairway down',
  })

/** These nodes, whatever else there is. */
export const nodesReady =
  (nodeNames: readonly string[]) =>
  ({ nodes }: Observed): readonly Waiting[] =>
    waitingForNodes(nodes, nodeNames)

/** Everything that a cluster should have ready, and all that was just written. */
export const allReady =
  (expected: Expected, written: readonly ApiObject[] = []) =>
  (observed: Observed): readonly Waiting[] => [...waitingForNews(observed, written), ...waitingFor(observed, expected)]
