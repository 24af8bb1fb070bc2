// effect: SQLite file, etcd
// The store that was asked for. etcd's client is loaded only where it is.

import type { Clock } from '#daemon/clock.ts'
import { UserError } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { openSqliteStore } from '#apiserver/store/sqlite-store.ts'
import { StoreError, type Store } from '#apiserver/store/store.ts'

export type StoreOptions =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'etcd'
      /** `http://HOST:PORT` or `https://HOST:PORT` */
      readonly servers: readonly string[]
      /** what all keys begin with: `/fairway` */
      readonly prefix: string
      /** PEM texts */
      readonly tls: {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
      }
    }

/** Throws UserError. */
export async function openStore(
  options: StoreOptions,
  context: { readonly clock: Clock; readonly log: Logger },
): Promise<Store> {
  try {
    if (options.kind === 'sqlite') return openSqliteStore({ path: options.path, clock: context.clock })
    const { openEtcdStore } = await import('#apiserver/store/etcd-store.ts')
    return await openEtcdStore({ ...options, ...context })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new UserError(`cannot open the store ${error.message}`, { code: `Store-${error.code}`, cause: error })
  }
}
