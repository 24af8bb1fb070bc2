// effect: files of address leases
// Who has which address: one file per address, linked into place whole, so that two that ask at once never get the same one and
// a kill at any moment leaves either no lease or a whole one. The form is host-local's: the file is named after the
// address and holds the container's id and the interface's name.
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { containsIp, formatCidr } from '#lib/cidr.ts'
import { isValidIp } from '#lib/ip.ts'
import { candidates } from '#node/cni/ipam.ts'
import { isSameOwner, type Owner } from '#node/cni/attachment.ts'
import type { Network, Range } from '#node/cni/network.ts'

export class NoAddressLeft extends Error {
  readonly code = 'NoAddressLeft'
}

export type Lease = { readonly ip: string; readonly owner: Owner }

export class LeaseStore {
  readonly #directory: string

  /** `directory` holds one folder per network. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * One address of each range; the same ones again for an owner that has some already, else the preferred ones where they
   * are free.
   */
  acquire(network: Network, owner: Owner, preferred: readonly string[] = []): readonly string[] {
    const folder = join(this.#directory, network.name)
    mkdirSync(folder, { recursive: true })
    const own = this.list(network.name).filter((lease) => isSameOwner(lease.owner, owner))
    const taken: string[] = []
    try {
      return network.ranges.map((range, place) => {
        const kept = own.find(({ ip }) => isIn(range, ip))
        if (kept) return kept.ip
        const wanted = preferred.find((one) => isIn(range, one) && createLease(folder, one, owner))
        const ip = wanted ?? takeOne(folder, range, place, owner)
        taken.push(ip)
        return ip
      })
    } catch (error) {
      for (const ip of taken) rmSync(join(folder, ip), { force: true })
      throw error
    }
  }

  release(networkName: string, owner: Owner): void {
    for (const lease of this.list(networkName)) if (isSameOwner(lease.owner, owner)) this.#remove(networkName, lease)
    const folder = join(this.#directory, networkName)
    for (const name of namesIn(folder)) if (name.endsWith(draftEnd(owner))) rmSync(join(folder, name), { force: true })
  }

  /** Gives back every lease whose owner is not valid. */
  collect(networkName: string, isValid: (owner: Owner) => boolean): readonly Lease[] {
    const stale = this.list(networkName).filter(({ owner }) => !isValid(owner))
    for (const lease of stale) this.#remove(networkName, lease)
    return stale
  }

  /** Whether the owner has any. */
  holds(networkName: string, owner: Owner): boolean {
    return this.list(networkName).some((lease) => isSameOwner(lease.owner, owner))
  }

  list(networkName: string): readonly Lease[] {
    const folder = join(this.#directory, networkName)
    return namesIn(folder).flatMap((ip): Lease[] => {
      const text = isValidIp(ip) ? readText(join(folder, ip)) : undefined
      if (text === undefined) return []
      const [containerId = '', ifname = ''] = text.split('\r\n')
      return [{ ip, owner: { containerId: containerId.trim(), ifname: ifname.trim() } }]
    })
  }

  #remove(networkName: string, { ip }: Lease): void {
    rmSync(join(this.#directory, networkName, ip), { force: true })
  }
}

/** Of the names of files that are not whole yet; one who was killed leaves them behind. */
const draftEnd = ({ containerId, ifname }: Owner) => `.draft.${containerId}.${ifname}`
const isIn = ({ cidr }: Range, ip: string) => containsIp(cidr, ip)

function takeOne(folder: string, range: Range, place: number, owner: Owner): string {
  const lastFile = join(folder, `last_reserved_ip.${place}`)
  for (const ip of candidates(range, readText(lastFile)?.trim())) {
    if (!createLease(folder, ip, owner)) continue
    // Others may be doing the same now.
    const draft = `${lastFile}${draftEnd(owner)}`
    writeFileSync(draft, ip)
    renameSync(draft, lastFile)
    return ip
  }
  throw new NoAddressLeft(`no IP addresses available in range set: ${formatCidr(range.cidr)}`)
}

/** Linked into place whole, so that a lease is never seen half written. False where the address is taken. */
function createLease(folder: string, ip: string, owner: Owner): boolean {
  const { containerId, ifname } = owner
  const draft = join(folder, draftEnd(owner))
  writeFileSync(draft, `${containerId}\r\n${ifname}`)
  try {
    linkSync(draft, join(folder, ip))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
