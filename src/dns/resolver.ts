// One question through everything that may answer it, in CoreDNS's order: the cluster's zone first, then upstreams.

import { answer, type ZoneOptions } from '#dns/answer.ts'
import type { Query, Sections } from '#dns/query.ts'
import { rcodes } from '#dns/wire/message.ts'
import { classIn, recordTypes, type ResourceRecord } from '#dns/wire/record.ts'
import type { Zone } from '#dns/zone.ts'

/** A reply before it is rendered. */
export type Reply = Sections & { readonly rcode: number; readonly authoritative: boolean }

/** Asks the world outside. Answers SERVFAIL or REFUSED itself: it never throws. */
export type Forward = (name: string, type: number, query: Pick<Query, 'edns'>) => Promise<Reply>

/** What is known at once; `later` where upstreams must be asked. */
export type Resolution =
  | { readonly kind: 'now'; readonly reply: Reply }
  | { readonly kind: 'later'; ask(): Promise<Reply> }

export type Resolver = (query: Query) => Resolution

const code = (rcode: number): Resolution => ({ kind: 'now', reply: { rcode, authoritative: false } })

/** A resolver over one zone and, for all other names, `forward` (undefined: they are refused). */
export function createResolver(zone: Zone, options: ZoneOptions, forward: Forward | undefined): Resolver {
  return (query) => {
    if ((query.edns?.version ?? 0) !== 0) return code(rcodes.BADVERS)
    if (query.class !== classIn) return code(rcodes.REFUSED)
    const found = answer(zone, options, query.name, query.type)
    switch (found.kind) {
      case 'pass':
        if (forward === undefined) return code(rcodes.REFUSED)
        return { kind: 'later', ask: () => forward(query.name, query.type, query) }
      case 'refused':
        return code(rcodes.REFUSED)
      case 'servfail':
        return code(rcodes.SERVFAIL)
      case 'nodata':
      case 'nxdomain': {
        const rcode = found.kind === 'nodata' ? rcodes.NOERROR : rcodes.NXDOMAIN
        return { kind: 'now', reply: { rcode, authoritative: true, authorities: [found.soa] } }
      }
      case 'records': {
        const reply = {
          rcode: rcodes.NOERROR,
          authoritative: true,
          answers: found.answers,
          additionals: found.additionals,
        }
        const { alias } = found
        if (alias === undefined || forward === undefined) return { kind: 'now', reply }
        return { kind: 'later', ask: async () => joinAlias(reply, await forward(alias, query.type, query)) }
      }
    }
  }
}

/** The CNAME with what upstreams know of its target: nothing where they fail, so that the name itself still answers. */
function joinAlias(reply: Reply & { answers: readonly ResourceRecord[] }, target: Reply): Reply {
  const followed = (target.answers ?? []).filter(
    (record) => record.type === recordTypes.A || record.type === recordTypes.AAAA || record.type === recordTypes.CNAME,
  )
  return target.rcode === rcodes.NOERROR ? { ...reply, answers: [...reply.answers, ...followed] } : reply
}
