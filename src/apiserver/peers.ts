// Which servers share one store: each keeps a key that goes away without it, as kube-apiservers do.

import type { Store } from '#apiserver/store/store.ts'

/** After this time a server that says nothing is missed; it speaks every three seconds. */
const ttlSeconds = 10
const prefix = '~peers/'

/** Says that this server lives, and answers the addresses of all that do and serve on its port. */
export async function announce(store: Store, address: string, port: number): Promise<readonly string[]> {
  const key = `${prefix}${port}/${address}`
  const value = { text: '{}' }
  const found = await store.get(key)
  if (found === undefined) await store.create(key, value, { ttlSeconds })
  else await store.update(key, value, found.revision, { ttlSeconds })
  const { items } = await store.list(`${prefix}${port}/`)
  return [...new Set([address, ...items.map((item) => item.key.slice(`${prefix}${port}/`.length))])].toSorted()
}

/** Says that this server goes; answers the others. */
export async function withdraw(store: Store, address: string, port: number): Promise<readonly string[]> {
  const key = `${prefix}${port}/${address}`
  const found = await store.get(key)
  if (found !== undefined) await store.delete(key, found.revision)
  const { items } = await store.list(`${prefix}${port}/`)
  return items.map((item) => item.key.slice(`${prefix}${port}/`.length)).filter((other) => other !== address)
}
