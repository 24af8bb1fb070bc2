// Allocation as one step of a write: takes for a Service, claims its addresses, and says how to commit and revert.

import type { Admitted, AdmitContext } from '#apiserver/kind.ts'
import { claim, disclaim } from '#apiserver/allocate/claims.ts'
import type { Begin, Ledger } from '#apiserver/allocate/ledger.ts'
import type { Book } from '#apiserver/allocate/load.ts'
import { type Allocated, heldBy, releaseAll } from '#apiserver/allocate/service.ts'
import type { Service } from '#api/core.ts'
import { dns1123Label } from '#api/names.ts'
import { internalError } from '#api/status.ts'
import { canonicalIp } from '#lib/ip.ts'

type Allocate = (ledger: Ledger, options: Begin) => Allocated

export async function admitAllocation(
  book: Book,
  allocate: Allocate,
  context: AdmitContext,
): Promise<Admitted<Service>> {
  const excluded = new Set<string>()
  const excludedPorts = new Set<number>()
  const random = (below: number) => context.random(below)
  const options = { dryRun: context.dryRun, random, excluded, excludedPorts }
  const ledger = await book.open()
  const isNamed = dns1123Label(context.name).length === 0
  for (;;) {
    let allocated = allocate(ledger, options)
    if (allocated.kind !== 'allocated') allocated = allocate(await book.look(), options)
    if (allocated.kind === 'invalid') return { kind: 'invalid', errors: allocated.errors }
    if (allocated.kind === 'internal') return { kind: 'status', status: internalError(allocated.message) }
    const { service, transaction } = allocated
    if (context.dryRun) return { kind: 'admitted', object: service }
    // Under a name that validation is about to refuse, nothing can be claimed.
    const claims = isNamed ? transaction.addresses : []
    const ports = isNamed ? transaction.ports : []
    const takenPort = await book.portClaims?.claim(ports)
    if (takenPort !== undefined) {
      transaction.revert()
      excludedPorts.add(takenPort)
      continue
    }
    const taken = await claim(claims, service, context.objects)
    if (taken === undefined)
      return {
        kind: 'admitted',
        object: service,
        async commit() {
          transaction.commit()
          await disclaim(transaction.releasedAddresses, context.objects)
          await book.portClaims?.disclaim(transaction.releasedPorts)
        },
        async revert() {
          transaction.revert()
          await disclaim(claims, context.objects)
          await book.portClaims?.disclaim(ports)
        },
      }
    transaction.revert()
    await book.portClaims?.disclaim(ports)
    excluded.add(taken)
  }
}

/** Gives back all that a deleted Service held. */
export async function releaseService(book: Book, service: Service, context: AdmitContext): Promise<void> {
  releaseAll(service, await book.open())
  const { addresses, ports } = heldBy(service)
  await disclaim(
    addresses.map((ip) => canonicalIp(ip) ?? ip),
    context.objects,
  )
  await book.portClaims?.disclaim(ports)
}
