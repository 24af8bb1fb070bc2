// What a Service takes from the ledger and gives back, on create, update and delete (Kubernetes'
// registry/core/service/storage/alloc.go). Pure but for the ledger: the caller commits or reverts.

import type { Begin, Family, Given, Held, Ledger, Refusal, Transaction } from '#apiserver/allocate/ledger.ts'
import type { Service, ServicePort, ServiceSpec } from '#api/core.ts'
import { type FieldError, invalid } from '#api/field-error.ts'
import { fitFamilies, isUnchangedPreference } from '#api/service/families.ts'
import { alignClusterIps, keepAllocated } from '#api/service/transition.ts'
import * as traits from '#api/service/traits.ts'

/** The Service with all that it was given, or why it was not. `internal` is no fault of the client. */
export type Allocated =
  | { readonly kind: 'allocated'; readonly service: Service; readonly transaction: Transaction }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'internal'; readonly message: string }

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type Failure = Exclude<Allocated, { kind: 'allocated' }>

export function allocateCreate(service: Service, ledger: Ledger, options: Begin): Allocated {
  const fitted = fitFamilies(alignClusterIps(service, undefined), undefined, ledger.families)
  if ('errors' in fitted) return { kind: 'invalid', errors: fitted.errors }
  return allocate(fitted.service, ledger, options, (work) => {
    work.takeAddresses()
    if (traits.hasNodePorts(work.spec)) work.takeNodePorts()
    if (traits.needsHealthCheckPort(work.spec)) work.takeHealthCheckPort()
  })
}

/** `service`: as the client sent it; allocated values that it leaves out are kept. */
export function allocateUpdate(service: Service, old: Service, ledger: Ledger, options: Begin): Allocated {
  const meant = alignClusterIps(keepAllocated(service, old), old)
  const fitted = fitFamilies(meant, old, ledger.families)
  if ('errors' in fitted) return { kind: 'invalid', errors: fitted.errors }
  const before = traits.specOf(old)
  return allocate(fitted.service, ledger, options, (work) => {
    work.changeAddresses(before)
    if (traits.hasNodePorts(before) && !traits.hasNodePorts(work.spec)) work.releasePorts(traits.nodePortsOf(before))
    if (traits.hasNodePorts(work.spec)) work.changeNodePorts(before)
    const had = traits.needsHealthCheckPort(before)
    const needs = traits.needsHealthCheckPort(work.spec)
    if (needs && !had) work.takeHealthCheckPort()
    if (had && !needs) work.releasePorts([before.healthCheckNodePort ?? 0])
  })
}

/** Gives back all that a deleted Service held. */
export function releaseAll(service: Service, ledger: Ledger): void {
  const { addresses, ports } = heldBy(service)
  for (const ip of addresses) ledger.releaseAddress(ip)
  for (const port of ports) ledger.ports.release(port)
}

/** What a stored Service holds. */
export function heldBy(service: Service): Held {
  const spec = traits.specOf(service)
  const hasAddresses = traits.needsClusterIp(spec) && !traits.isHeadless(spec)
  const health = traits.needsHealthCheckPort(spec) && spec.healthCheckNodePort ? [spec.healthCheckNodePort] : []
  return {
    addresses: hasAddresses ? (spec.clusterIPs ?? []) : [],
    ports: [...new Set([...traits.nodePortsOf(spec), ...health])],
  }
}

/** Thrown inside one allocation, which then gives back what it took. */
class Refusing extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.kind)
    this.failure = failure
  }
}

function allocate(service: Service, ledger: Ledger, options: Begin, act: (work: Work) => void): Allocated {
  const transaction = ledger.begin(options)
  const work = new Work(service, transaction)
  try {
    act(work)
  } catch (error) {
    transaction.revert()
    if (error instanceof Refusing) return error.failure
    throw error
  }
  return { kind: 'allocated', service: { ...service, spec: work.spec }, transaction }
}

/** One Service on its way: its spec fills while its transaction takes. */
class Work {
  readonly spec: Draft<ServiceSpec>
  readonly #name: string
  readonly #transaction: Transaction

  constructor(service: Service, transaction: Transaction) {
    this.spec = { ...traits.specOf(service) }
    this.#name = service.metadata?.name ?? ''
    this.#transaction = transaction
  }

  /** One address for each family: the one asked for, or any. */
  takeAddresses(from = 0): void {
    const { spec } = this
    if (!traits.needsClusterIp(spec) || spec.clusterIPs?.[0] === 'None') return
    const families = (spec.ipFamilies ?? []) as readonly Family[]
    const asked = families.map((_, at) => spec.clusterIPs?.[at] ?? '')
    const ips = [...asked]
    for (const [at, family] of families.entries()) {
      if (at < from) continue
      const ip = asked[at] ?? ''
      const given = ip === '' ? this.#transaction.takeAnyAddress(family) : this.#transaction.takeAddress(ip)
      if ('given' in given) ips[at] = given.given
      else this.#refuseAddress(given.refused, asked, ip)
    }
    spec.clusterIPs = ips
    if (ips[0]) spec.clusterIP = ips[0]
  }

  #refuseAddress(refused: Refusal, asked: readonly string[], ip: string): never {
    if (refused === 'range is full') {
      const message = `failed to allocate a serviceIP for Service "${this.#name}": range is full`
      throw new Refusing({ kind: 'internal', message })
    }
    const detail = `failed to allocate IP ${ip}: ${refused}`
    throw new Refusing({ kind: 'invalid', errors: [invalid('spec.clusterIPs', asked, detail)] })
  }

  changeAddresses(before: ServiceSpec): void {
    const { spec } = this
    if (isUnchangedPreference(spec, before)) return
    if (before.type === 'ExternalName' && traits.needsClusterIp(spec)) return this.takeAddresses()
    if (before.clusterIPs?.[0] === 'None') return
    const held = before.clusterIPs ?? []
    if (traits.needsClusterIp(before) && !traits.needsClusterIp(spec))
      for (const ip of held) this.#transaction.releaseAddress(ip)
    const count = spec.ipFamilies?.length ?? 0
    const countBefore = before.ipFamilies?.length ?? 0
    if (countBefore === 1 && count === 2) this.takeAddresses(1)
    if (countBefore === 2 && count === 1 && held[1]) this.#transaction.releaseAddress(held[1])
  }

  /**
   * Node ports of a new Service. Ports with one number (TCP and UDP 53) share a node port: the one that any of them asks
   * for, or the one that the first was given.
   */
  takeNodePorts(): void {
    const { spec } = this
    const shared = new Map<number, number>()
    this.#eachPort((port, at) => {
      if (!port.nodePort && !traits.allocatesNodePorts(spec)) return port
      const known = shared.get(port.port)
      if (known !== undefined) {
        if (port.nodePort && port.nodePort !== known) this.#takePort(port.nodePort, at)
        return { ...port, nodePort: port.nodePort || known }
      }
      const asked = spec.ports?.find((other) => other.port === port.port && other.nodePort)?.nodePort
      const nodePort = asked ? this.#takePort(asked, at) : this.#takeAnyPort()
      shared.set(port.port, nodePort)
      return { ...port, nodePort }
    })
  }

  /**
   * Node ports of an updated one: new ones are taken, those it no longer names are released. One that stands twice with
   * one protocol is left to validation.
   */
  changeNodePorts(before: ServiceSpec): void {
    const held = new Set(traits.nodePortsOf(before))
    const taken = new Set<number>()
    this.#eachPort((port, at) => {
      if (!port.nodePort && !traits.allocatesNodePorts(this.spec)) return port
      const nodePort = port.nodePort || this.#takeAnyPort()
      if (port.nodePort && !held.has(nodePort) && !taken.has(nodePort)) this.#takePort(nodePort, at)
      taken.add(nodePort)
      return { ...port, nodePort }
    })
    const named = new Set(traits.nodePortsOf(this.spec))
    this.releasePorts([...held].filter((port) => !named.has(port)))
  }

  takeHealthCheckPort(): void {
    const asked = this.spec.healthCheckNodePort
    const given = asked ? this.#transaction.takePort(asked) : this.#transaction.takeAnyPort()
    if ('given' in given) {
      this.spec.healthCheckNodePort = given.given
      return
    }
    const message = asked
      ? `failed to allocate requested HealthCheck NodePort ${asked}: ${given.refused}`
      : `failed to allocate a HealthCheck NodePort 0: ${given.refused}`
    throw new Refusing({ kind: 'internal', message })
  }

  releasePorts(ports: readonly number[]): void {
    for (const port of ports) this.#transaction.releasePort(port)
  }

  #eachPort(change: (port: ServicePort, at: number) => ServicePort): void {
    if (this.spec.ports) this.spec.ports = this.spec.ports.map(change)
  }

  #takePort(port: number, at: number): number {
    const given = this.#transaction.takePort(port)
    if ('given' in given) return given.given
    const errors = [invalid(`spec.ports[${at}].nodePort`, port, given.refused)]
    throw new Refusing({ kind: 'invalid', errors })
  }

  #takeAnyPort(): number {
    const given: Given<number> = this.#transaction.takeAnyPort()
    if ('given' in given) return given.given
    throw new Refusing({ kind: 'internal', message: `failed to allocate a nodePort: ${given.refused}` })
  }
}
