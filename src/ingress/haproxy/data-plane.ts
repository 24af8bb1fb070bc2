// effect: files, the HAProxy program
// A HAProxy that does what the last table says. Edits go through its runtime API; it is reloaded only where that cannot
// do it (more Services than it has spare back ends) or has failed.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { messageOf } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { certificateFileOf, defaultCertificateOf, type ProxySettings, renderFiles } from '#ingress/haproxy/config.ts'
import {
  applyChange,
  type Basis,
  basisFor,
  certificateName,
  type Layout,
  layOut,
  layOutChange,
} from '#ingress/haproxy/layout.ts'
import { type Running, startHaproxy } from '#ingress/haproxy/process.ts'
import { RuntimeError } from '#ingress/haproxy/runtime.ts'
import { RequestCounts } from '#ingress/haproxy/request-counts.ts'
import { Slots } from '#ingress/haproxy/slots.ts'
import { planSteps } from '#ingress/haproxy/steps.ts'
import type { RoutingTable } from '#ingress/route.ts'
import type { TableChange } from '#ingress/table.ts'

export type DataPlaneOptions = ProxySettings & {
  /** PEM of a certificate and its key, for names that no Secret is for */
  readonly ownCertificate: string
  /** HAProxy has ended without being told to: `apply` starts it again */
  onEnded(): void
}

export class DataPlane {
  readonly #options: DataPlaneOptions
  readonly #context: PartContext
  readonly #starts
  #basis: Basis = { slots: new Slots(), patternHosts: new Set(), canaryRules: undefined }
  /** what the running HAProxy has; undefined where that is not known any more */
  #applied: Layout | undefined
  #running: Running | undefined
  readonly #retiring = new Set<string>()
  readonly #counts: RequestCounts

  constructor(options: DataPlaneOptions, context: PartContext) {
    this.#options = options
    this.#context = context
    this.#starts = context.registry.counter(
      'fairway_ingress_proxy_starts_total',
      'How often a HAProxy was started: at the beginning, for more back ends, after a failure.',
    )
    this.#counts = new RequestCounts(context.registry)
    mkdirSync(`${options.folder}/certificates`, { recursive: true, mode: 0o700 })
  }

  get isServing(): boolean {
    return this.#running !== undefined
  }

  /** Servers that wait for their last connection to end. */
  get retiring(): number {
    return this.#retiring.size
  }

  /** Few spare back ends are left: `renew` makes more before an edit has to wait for them. */
  get isScarce(): boolean {
    return this.#applied !== undefined && this.#basis.slots.isScarce
  }

  /**
   * Resolves when every new request is handled as the table says. `change`: in what it is other than at the last call.
   * Throws where that could not be reached; then the next call looks at the whole table.
   */
  async apply(table: RoutingTable, change: TableChange): Promise<void> {
    const [applied, running] = [this.#applied, this.#running]
    if (applied === undefined || running === undefined) return this.renew(table)
    this.#applied = undefined
    try {
      const freed = await this.#giveSlots(table, change, running)
      if (freed === undefined) return await this.renew(table)
      const next = layOutChange(this.#complete(table), change, this.#basis, applied, freed)
      if (next === undefined) return await this.renew(table)
      const { steps, retired, recalled } = planSteps(this.#options.folder, applied, next, this.#retiring)
      await running.runtime.perform(steps)
      applyChange(applied, next)
      this.#applied = applied
      for (const name of retired) this.#retiring.add(name)
      for (const name of recalled) this.#retiring.delete(name)
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      this.#context.log.warn('HAProxy is reloaded', { err: messageOf(error) })
      await this.renew(table)
    }
  }

  /** Deletes the servers whose last connection has ended. */
  async sweep(): Promise<void> {
    if (this.#running === undefined) return
    const { runtime } = this.#running
    const one = async (name: string) => {
      const answer = await runtime.ask(`del server ${name}`)
      if (/deleted|No such/.test(answer)) this.#retiring.delete(name)
    }
    await Promise.all([...this.#retiring].map(one))
  }

  /** Adds what HAProxy has answered to the metrics. */
  async countRequests(): Promise<void> {
    if (this.#running !== undefined) await this.#counts.collect(this.#running.runtime)
  }

  /** Takes no new connections, and resolves when those that there are have ended, or after the time. */
  async stop(waitMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.runtime[Symbol.dispose]()
    running.stop()
    const over = new AbortController()
    void running.ended.then(() => over.abort())
    await this.#context.clock.sleep(waitMs, over.signal)
    running.kill()
  }

  /** Starts a HAProxy that has all of a table; the one that serves till then gives its sockets to it. */
  async renew(table: RoutingTable): Promise<void> {
    const { folder } = this.#options
    const old = this.#running
    await this.countRequests().catch(() => {})
    const basis = basisFor(table, this.#basis.slots.ordinary)
    const layout = layOut(this.#complete(table), basis)
    this.#writeFiles(layout, basis)
    this.#applied = undefined
    const running = await startHaproxy(folder, this.#context)
    old?.runtime[Symbol.dispose]()
    this.#running = running
    void running.ended.then(() => {
      if (this.#running !== running) return
      this.#running = undefined
      this.#options.onEnded()
    })
    this.#basis = basis
    this.#applied = layout
    this.#retiring.clear()
    this.#counts.restart(basis.slots.keys())
    this.#starts.add(1)
    this.#removeCertificates(layout)
  }

  #complete(table: RoutingTable): RoutingTable {
    const { fallback, routes, backends, certificates, defaultCertificate = this.#options.ownCertificate } = table
    return { fallback, routes, backends, certificates, defaultCertificate }
  }

  /** Answers the names of back ends that were given back; undefined where there are too few. */
  async #giveSlots(
    { backends }: RoutingTable,
    change: TableChange,
    { runtime }: Running,
  ): Promise<readonly string[] | undefined> {
    const { slots } = this.#basis
    const freed: string[] = []
    for (const key of change.backends) {
      const backend = backends.get(key)
      if (backend === undefined || slots.find(key) !== undefined) continue
      let name = slots.give(key, backend.settings, this.#isBusy)
      if (name === undefined) {
        await this.sweep()
        name = slots.give(key, backend.settings, this.#isBusy)
      }
      if (name === undefined) return undefined
      await this.#counts.assign(runtime, name, key)
    }
    for (const key of change.backends) {
      if (backends.has(key)) continue
      const name = slots.find(key)
      if (name !== undefined) freed.push(name)
      slots.giveBack(key)
    }
    return freed
  }

  #writeFiles(layout: Layout, basis: Basis): void {
    const { folder } = this.#options
    for (const [key, { pem, hosts }] of layout.certificates)
      writePrivate(certificateFileOf(folder, certificateName(key, hosts)), pem)
    writePrivate(defaultCertificateOf(folder), layout.defaultCertificate!)
    for (const [file, text] of renderFiles(this.#options, layout, basis)) writePrivate(file, text)
  }

  #removeCertificates({ certificates }: Layout): void {
    const { folder } = this.#options
    const used = new Set([...certificates].map(([key, { hosts }]) => certificateName(key, hosts)))
    for (const name of readdirSync(`${folder}/certificates`))
      if (!used.has(name) && name !== basename(defaultCertificateOf(folder))) rmSync(certificateFileOf(folder, name))
  }

  /** Whether servers of a back end still wait for their last connection to end. */
  readonly #isBusy = (backend: string): boolean => {
    for (const name of this.#retiring) if (name.startsWith(`${backend}/`)) return true
    return false
  }
}

const writePrivate = (file: string, text: string): void => writeFileSync(file, text, { mode: 0o600 })
