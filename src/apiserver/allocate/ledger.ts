// What the Services of a cluster hold: cluster addresses and node ports. One ledger per API server; it is rebuilt from
// the stored Services at start and before a refusal (another server may have changed them), and changed only through
// transactions.
//
// A transaction takes at once (so that no two requests get the same place) and gives back late: what it releases is
// released by `commit`, what it took is released by `revert`. A dry run sees the same answers and changes nothing.

import { AddressRange } from '#apiserver/allocate/address-range.ts'
import type { Random } from '#apiserver/allocate/band.ts'
import { PortRange, type PortBounds } from '#apiserver/allocate/port-range.ts'
import { type Cidr, parseCidr } from '#lib/cidr.ts'
import { canonicalIp } from '#lib/ip.ts'

export type Family = 'IPv4' | 'IPv6'

/** Why a place was not given, in the words of kube-apiserver's allocators. */
export type Refusal =
  | 'range is full'
  | 'provided IP is already allocated'
  | 'provided port is already allocated'
  | 'the provided network does not match the current range'
  | `provided port is not in the valid range. The range of valid ports is ${string}`

/** What was given, or why nothing was. */
export type Given<T> = { readonly given: T } | { readonly refused: Refusal }

/** The one spelling under which an address is kept. */
const canonical = (ip: string): string => canonicalIp(ip) ?? ip

export type Held = { readonly addresses: readonly string[]; readonly ports: readonly number[] }

export class Ledger {
  readonly ports: PortRange
  /** The families that this cluster gives addresses of, the primary one first. */
  readonly families: readonly Family[]
  readonly #addresses = new Set<string>()
  /** neither committed nor reverted */
  readonly #open = new Set<Transaction>()
  #ranges: readonly AddressRange[]

  /** `cidrs`: the first one's family is the cluster's primary family. */
  constructor(cidrs: readonly Cidr[], ports: PortBounds) {
    this.#ranges = cidrs.map((cidr) => new AddressRange(cidr))
    this.families = [...new Set(this.#ranges.map((range) => range.family))]
    this.ports = new PortRange(ports)
  }

  get ranges(): readonly AddressRange[] {
    return this.#ranges
  }
  /** Gives addresses of these CIDRs from now on; what is taken stays taken. */
  setRanges(cidrs: readonly string[]): void {
    if (cidrs.length === this.#ranges.length && this.#ranges.every((range, at) => range.text === cidrs[at])) return
    this.#ranges = cidrs.flatMap((text) => {
      const cidr = parseCidr(text)
      return cidr === undefined ? [] : [new AddressRange(cidr)]
    })
  }

  hasAddress(ip: string): boolean {
    return this.#addresses.has(canonical(ip))
  }
  /** For rebuilding from stored Services: takes without a transaction; false if it was taken already. */
  markAddress(ip: string): boolean {
    const known = this.#addresses.has(canonical(ip))
    this.#addresses.add(canonical(ip))
    return !known
  }
  markPort(port: number): boolean {
    const known = this.ports.has(port)
    this.ports.take(port)
    return !known
  }
  releaseAddress(ip: string): void {
    this.#addresses.delete(canonical(ip))
  }

  /** Begins anew with what stored Services hold; what open transactions took stays taken. */
  rebuild(stored: readonly Held[]): void {
    this.#addresses.clear()
    this.ports.clear()
    for (const { addresses, ports } of [...stored, ...this.#open]) {
      for (const ip of addresses) this.markAddress(ip)
      for (const port of ports) this.markPort(port)
    }
  }

  begin(options: Begin): Transaction {
    const transaction = new Transaction(this, options, () => this.#open.delete(transaction))
    if (!options.dryRun) this.#open.add(transaction)
    return transaction
  }
}

export type Begin = {
  readonly dryRun: boolean
  /** chooses among the free places */
  readonly random: Random
  /** addresses that someone has of whom the ledger knows nothing, in canonical form */
  readonly excluded?: ReadonlySet<string>
  /** node ports of which the same holds */
  readonly excludedPorts?: ReadonlySet<number>
}

export class Transaction implements Held {
  readonly #ledger: Ledger
  readonly #excluded: ReadonlySet<string>
  readonly #excludedPorts: ReadonlySet<number>
  readonly #close: () => void
  readonly #random: Random
  readonly #dryRun: boolean
  readonly #addresses = new Set<string>()
  readonly #ports = new Set<number>()
  readonly #releasedAddresses: string[] = []
  readonly #releasedPorts: number[] = []

  constructor(ledger: Ledger, options: Begin, close: () => void) {
    this.#ledger = ledger
    this.#excluded = options.excluded ?? new Set()
    this.#excludedPorts = options.excludedPorts ?? new Set()
    this.#close = close
    this.#random = (below) => options.random(below)
    this.#dryRun = options.dryRun
  }

  /** what it took, canonical */
  get addresses(): readonly string[] {
    return [...this.#addresses]
  }
  get ports(): readonly number[] {
    return [...this.#ports]
  }
  /** what a commit gives back, canonical */
  get releasedAddresses(): readonly string[] {
    return this.#releasedAddresses.map(canonical)
  }

  get releasedPorts(): readonly number[] {
    return this.#releasedPorts
  }

  takeAddress(ip: string): Given<string> {
    if (!this.#ledger.ranges.some((range) => range.contains(canonical(ip))))
      return { refused: 'the provided network does not match the current range' }
    if (this.#hasAddress(canonical(ip))) return { refused: 'provided IP is already allocated' }
    this.#keepAddress(canonical(ip))
    return { given: ip }
  }

  takeAnyAddress(family: Family): Given<string> {
    for (const range of this.#ledger.ranges) {
      const ip = range.family === family ? range.pick((ip) => this.#hasAddress(ip), this.#random) : undefined
      if (ip === undefined) continue
      this.#keepAddress(ip)
      return { given: ip }
    }
    return { refused: 'range is full' }
  }

  takePort(port: number): Given<number> {
    const { ports } = this.#ledger
    if (!ports.contains(port))
      return { refused: `provided port is not in the valid range. The range of valid ports is ${ports.text}` }
    if (ports.has(port) || this.#hasPort(port)) return { refused: 'provided port is already allocated' }
    this.#keepPort(port)
    return { given: port }
  }

  takeAnyPort(): Given<number> {
    const port = this.#ledger.ports.pick(this.#random, (port) => this.#hasPort(port))
    if (port === undefined) return { refused: 'range is full' }
    this.#keepPort(port)
    return { given: port }
  }

  releaseAddress(ip: string): void {
    this.#releasedAddresses.push(ip)
  }
  releasePort(port: number): void {
    this.#releasedPorts.push(port)
  }

  commit(): void {
    this.#close()
    if (this.#dryRun) return
    for (const ip of this.#releasedAddresses) this.#ledger.releaseAddress(ip)
    for (const port of this.#releasedPorts) this.#ledger.ports.release(port)
  }

  revert(): void {
    this.#close()
    if (this.#dryRun) return
    for (const ip of this.#addresses) this.#ledger.releaseAddress(ip)
    for (const port of this.#ports) this.#ledger.ports.release(port)
  }

  #hasAddress(ip: string): boolean {
    return this.#ledger.hasAddress(ip) || this.#addresses.has(ip) || this.#excluded.has(ip)
  }
  #hasPort(port: number): boolean {
    return this.#ports.has(port) || this.#excludedPorts.has(port)
  }
  #keepAddress(ip: string): void {
    this.#addresses.add(ip)
    if (!this.#dryRun) this.#ledger.markAddress(ip)
  }
  #keepPort(port: number): void {
    this.#ports.add(port)
    if (!this.#dryRun) this.#ledger.ports.take(port)
  }
}
