// effect: watches of single objects
// The ConfigMaps and Secrets that the node's pods use, each watched for as long as a pod uses it. Single objects are
// asked for by name, which is all that a node may see of them.
import { configMaps, secrets, type ConfigMap, type Pod, type Secret } from '#api/core.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'
import type { Client } from '#client/client.ts'
import { informer, type Informer } from '#client/informer.ts'
import type { Logger } from '#daemon/log.ts'
import type { Lookup } from '#node/pod/env.ts'
import { referencesOf } from '#node/pod/references.ts'

type Watched<T> = { readonly informer: Informer<T>; readonly stop: AbortController; readonly users: Set<string> }

export class ObjectCache {
  readonly #configMaps: WatchedObjects<ConfigMap>
  readonly #secrets: WatchedObjects<Secret>

  /** `onChange` is told each pod that uses an object that changed. */
  constructor(client: Client, log: Logger, onChange: (uid: string) => void) {
    this.#configMaps = new WatchedObjects(client, configMaps, log, onChange)
    this.#secrets = new WatchedObjects(client, secrets, log, onChange)
  }

  /** Resolves once all that the pod refers to is known, be it that it does not exist. */
  async follow(pod: Stored<Pod>): Promise<void> {
    const { uid, namespace } = pod.metadata
    const wanted = referencesOf(pod)
    await Promise.all([
      this.#configMaps.follow(uid, namespace, wanted.configMaps),
      this.#secrets.follow(uid, namespace, wanted.secrets),
    ])
  }

  release(uid: string): void {
    this.#configMaps.release(uid)
    this.#secrets.release(uid)
  }

  lookupIn(namespace: string): Lookup {
    return {
      configMap: (name) => this.#configMaps.get(`${namespace}/${name}`),
      secret: (name) => this.#secrets.get(`${namespace}/${name}`),
    }
  }

  stop(): void {
    this.#configMaps.stop()
    this.#secrets.stop()
  }
}

class WatchedObjects<T> {
  readonly #client: Client
  readonly #resource: Resource<T>
  readonly #log: Logger
  readonly #onChange: (uid: string) => void
  readonly #watched = new Map<string, Watched<T>>()

  constructor(client: Client, resource: Resource<T>, log: Logger, onChange: (uid: string) => void) {
    this.#client = client
    this.#resource = resource
    this.#log = log
    this.#onChange = onChange
  }

  get(key: string): T | undefined {
    return this.#watched.get(key)?.informer.get(key)
  }

  async follow(uid: string, namespace: string, names: ReadonlySet<string>): Promise<void> {
    await Promise.all([...names].map((name) => this.#use(uid, namespace, name).synced))
  }

  release(uid: string): void {
    for (const [key, { users, stop }] of this.#watched) {
      if (!users.delete(uid) || users.size > 0) continue
      stop.abort()
      this.#watched.delete(key)
    }
  }

  stop(): void {
    for (const { stop } of this.#watched.values()) stop.abort()
    this.#watched.clear()
  }

  #use(uid: string, namespace: string, name: string): Informer<T> {
    const key = `${namespace}/${name}`
    const known = this.#watched.get(key)
    known?.users.add(uid)
    if (known) return known.informer
    const stop = new AbortController()
    const users = new Set([uid])
    const started = informer(this.#client, this.#resource, {
      namespace,
      fieldSelector: `metadata.name=${name}`,
      signal: stop.signal,
      log: this.#log,
      onChange: () => {
        for (const user of users) this.#onChange(user)
      },
    })
    this.#watched.set(key, { informer: started, stop, users })
    return started
  }
}
