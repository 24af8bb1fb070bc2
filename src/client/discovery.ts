// effect: requests to the API server
// What a server serves: every kind that can be named in a URL, in its group's preferred version.

import { json } from 'node:stream/consumers'
import type { Resource } from '#api/resource.ts'
import type { Client } from '#client/client.ts'

export type Served = Resource & { readonly verbs: readonly string[] }

export type Discovery = {
  readonly served: readonly Served[]
  /** groups that could not be asked about, with the reason */
  readonly failed: ReadonlyMap<string, string>
}

type GroupList = {
  readonly groups?: readonly {
    readonly name: string
    readonly preferredVersion?: { readonly version: string }
    readonly versions: readonly { readonly version: string }[]
  }[]
}
type ResourceList = {
  readonly resources?: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
  }[]
}

/** Throws what the client throws when not even the list of groups can be had. */
export async function discover(client: Client, signal?: AbortSignal): Promise<Discovery> {
  const { groups = [] } = (await read(client, '/apis', signal)) as GroupList
  const failed = new Map<string, string>()
  const all = [
    { group: '', version: 'v1', path: '/api/v1' },
    ...groups.map(({ name, preferredVersion, versions }) => {
      const { version } = preferredVersion ?? versions[0]!
      return { group: name, version, path: `/apis/${name}/${version}` }
    }),
  ]
  const lists = await Promise.all(
    all.map(async ({ group, version, path }): Promise<Served[]> => {
      try {
        const { resources = [] } = (await read(client, path, signal)) as ResourceList
        return resources
          .filter(({ name }) => !name.includes('/'))
          .map(({ name, kind, namespaced, verbs }) => ({ group, version, plural: name, kind, namespaced, verbs }))
      } catch (error) {
        if (signal?.aborted) throw error
        failed.set(group, (error as Error).message)
        return []
      }
    }),
  )
  return { served: lists.flat(), failed }
}

async function read(client: Client, path: string, signal: AbortSignal | undefined): Promise<unknown> {
  const { status, body } = await client.raw('GET', path, { signal, headers: { accept: 'application/json' } })
  if (status === 200) return json(body)
  body.destroy()
  throw new Error(`${path}: the server answered ${status}`)
}
