// The ledger of a server: made from its settings, filled from what is stored.

import type { Objects, Setting } from '#apiserver/kind.ts'
import type { PortClaims } from '#apiserver/allocate/port-claims.ts'
import { Ledger } from '#apiserver/allocate/ledger.ts'
import { parsePortBounds } from '#apiserver/allocate/port-range.ts'
import { heldBy } from '#apiserver/allocate/service.ts'
import { services } from '#api/core.ts'
import { type ServiceCIDR, serviceCidrs } from '#api/networking.ts'
import { isUsable } from '#api/service/cidr.ts'
import { type Cidr, parseCidr } from '#lib/cidr.ts'

type Ranges = Pick<Setting, 'serviceClusterIpRanges' | 'serviceNodePortRange'>

/** An empty ledger. Throws on settings that flags have let through. */
export function createLedger(setting: Ranges): Ledger {
  const ports = parsePortBounds(setting.serviceNodePortRange)
  if (ports === undefined) throw new Error(`not a port range: ${setting.serviceNodePortRange}`)
  return new Ledger(setting.serviceClusterIpRanges.map(readCidr), ports)
}

function readCidr(text: string): Cidr {
  const cidr = parseCidr(text)
  if (cidr === undefined) throw new Error(`not a CIDR: ${text}`)
  return cidr
}

/** The server's one ledger, in the state of now. */
export type Book = {
  /** The first caller makes it read what stored Services hold. */
  open(): Promise<Ledger>
  /** Reads that again: another server may have changed it. */
  look(): Promise<Ledger>
  /** undefined: no other server gives ports */
  readonly portClaims: PortClaims | undefined
}

export function bookOf(setting: Setting): Book {
  const { objects, portClaims } = setting
  const ledger = createLedger(setting)
  const look = async () => {
    ledger.rebuild((await objects.list(services)).map(heldBy))
    return ledger
  }
  let loading: Promise<Ledger> | undefined
  const open = async () => {
    loading ??= look().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    await loading
    // Others give places too: what they have stored meanwhile counts.
    if (portClaims !== undefined) await look()
    ledger.setRanges(await rangesOf(setting, objects))
    return ledger
  }
  return { open, look, portClaims }
}

/** Those of the ServiceCIDRs that may be used; before there is any, those of the settings. */
async function rangesOf(setting: Ranges, objects: Objects): Promise<readonly string[]> {
  const stored = await objects.list(serviceCidrs)
  if (stored.length === 0) return setting.serviceClusterIpRanges
  // The first one may be used before its server has come to say so.
  const isFirst = ({ metadata, status }: ServiceCIDR) =>
    metadata?.name === 'kubernetes' && metadata.deletionTimestamp === undefined && !status?.conditions?.length
  return stored.filter((range) => isUsable(range) || isFirst(range)).flatMap(({ spec }) => spec?.cidrs ?? [])
}
