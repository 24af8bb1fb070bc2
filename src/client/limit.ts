// Manners of a client that could send hundreds of writes at once.

import type { Client } from '#client/client.ts'

/** The same client with at most so many writes on their way; the others wait in the order in which they came. */
export function limitWrites(client: Client, most: number): Client {
  const waiting: (() => void)[] = []
  let running = 0
  const limited = async <R>(send: () => Promise<R>): Promise<R> => {
    if (running < most) running++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await send()
    } finally {
      // Whoever is next takes over the place.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
  return {
    ...client,
    create: (...words) => limited(() => client.create(...words)),
    update: (...words) => limited(() => client.update(...words)),
    patch: (...words) => limited(() => client.patch(...words)),
    delete: (...words) => limited(() => client.delete(...words)),
  }
}
