// The ledger of a server: made from its settings, filled from what is stored.

import type { Setting } from '#apiserver/kind.ts'
import { Ledger } from '#apiserver/allocate/ledger.ts'
import { parsePortBounds } from '#apiserver/allocate/port-range.ts'
import { heldBy } from '#apiserver/allocate/service.ts'
import { services } from '#api/core.ts'
import { parseCidr } from '#lib/cidr.ts'

/** An empty ledger. Throws on settings that flags have let through. */
export function createLedger(setting: Pick<Setting, 'serviceClusterIpRanges' | 'serviceNodePortRange'>): Ledger {
  const cidrs = setting.serviceClusterIpRanges.map((text) => {
    const cidr = parseCidr(text)
    if (cidr === undefined) throw new Error(`not a CIDR: ${text}`)
    return cidr
  })
  const ports = parsePortBounds(setting.serviceNodePortRange)
  if (ports === undefined) throw new Error(`not a port range: ${setting.serviceNodePortRange}`)
  return new Ledger(cidrs, ports)
}

/** Answers the server's one ledger; the first caller makes it read what stored Services hold. */
export function ledgerOf(setting: Setting): () => Promise<Ledger> {
  let loading: Promise<Ledger> | undefined
  const load = async () => {
    const ledger = createLedger(setting)
    for (const service of await setting.objects.list(services)) {
      const { addresses, ports } = heldBy(service)
      for (const ip of addresses) ledger.markAddress(ip)
      for (const port of ports) ledger.markPort(port)
    }
    return ledger
  }
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
}
