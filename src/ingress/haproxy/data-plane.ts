// effect: files, the HAProxy program
// A HAProxy that does what the last table says. Edits go through its runtime API; it is reloaded only where that cannot
// do it (more Services than it has spare back ends) or has failed.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { messageOf } from '#daemon/error.ts'
import type { PartContext } from '#daemon/part.ts'
import { certificateFileOf, defaultCertificateOf, type ProxySettings, renderFiles } from '#ingress/haproxy/config.ts'
import { type Layout, layOut } from '#ingress/haproxy/layout.ts'
import { type Running, startHaproxy } from '#ingress/haproxy/process.ts'
import { assignSlots, nameOfSlot, noSlots, type Slots, slotsFor } from '#ingress/haproxy/slots.ts'
import { planSteps } from '#ingress/haproxy/steps.ts'
import type { BackendKey, RoutingTable } from '#ingress/route.ts'

export type DataPlaneOptions = ProxySettings & {
  /** PEM of a certificate and its key, for names that no Secret is for */
  readonly ownCertificate: string
  /** HAProxy has ended without being told to: `apply` starts it again */
  onEnded(): void
}

export class DataPlane {
  readonly #options: DataPlaneOptions
  readonly #context: PartContext
  readonly #reloads
  #slots: Slots = noSlots(0)
  /** what the running HAProxy has; undefined where that is not known any more */
  #applied: Layout | undefined
  #running: Running | undefined
  #retiring = new Set<string>()

  constructor(options: DataPlaneOptions, context: PartContext) {
    this.#options = options
    this.#context = context
    this.#reloads = context.registry.counter(
      'fairway_ingress_proxy_starts_total',
      'How often a HAProxy was started: at the beginning, for more back ends, after a failure.',
    )
    mkdirSync(`${options.folder}/certificates`, { recursive: true, mode: 0o700 })
  }

  get isServing(): boolean {
    return this.#running !== undefined
  }

  /** Servers that wait for their last connection to end. */
  get retiring(): number {
    return this.#retiring.size
  }

  /** Resolves when every new request is handled as the table says. Throws where that could not be reached. */
  async apply(table: RoutingTable): Promise<void> {
    const complete = { ...table, defaultCertificate: table.defaultCertificate ?? this.#options.ownCertificate }
    const keys = table.backends.keys()
    const slots = assignSlots(this.#slots, keys, (slot) => this.#isBusy(slot))
    if (this.#applied === undefined || this.#running === undefined || slots === undefined) return this.#start(complete)
    const layout = layOut(complete, slots)
    const { steps, retired } = planSteps(this.#options.folder, this.#applied, layout, this.#retiring)
    if (steps.length > 0) {
      this.#applied = undefined
      try {
        await this.#running.runtime.perform(steps)
      } catch (error) {
        this.#context.log.warn('HAProxy is reloaded', { err: messageOf(error) })
        return this.#start(complete)
      }
    }
    this.#applied = layout
    this.#slots = slots
    for (const name of retired) this.#retiring.add(name)
    for (const name of this.#retiring) if (hasServer(layout, name)) this.#retiring.delete(name)
  }

  /** Deletes the servers whose last connection has ended. */
  async sweep(): Promise<void> {
    if (this.#running === undefined) return
    for (const name of this.#retiring) {
      const answer = await this.#running.runtime.ask(`del server ${name}`)
      if (/deleted|No such/.test(answer)) this.#retiring.delete(name)
    }
  }

  /** Requests that HAProxy has answered, by back end and by the first digit of the status, since it started. */
  async requests(): Promise<
    readonly { readonly backend: BackendKey; readonly code: string; readonly count: number }[]
  > {
    if (this.#running === undefined) return []
    const [head = '', ...lines] = (await this.#running.runtime.ask('show stat -1 2 -1')).split('\n')
    const names = head.replace(/^# /, '').split(',')
    const keys = new Map([...this.#slots.byKey].map(([key, slot]) => [nameOfSlot(slot), key]))
    return lines.flatMap((line) => {
      const values = line.split(',')
      const backend = keys.get(values[0]!)
      if (backend === undefined) return []
      return ['1xx', '2xx', '3xx', '4xx', '5xx'].map((code) => ({
        backend,
        code,
        count: Number(values[names.indexOf(`hrsp_${code}`)] ?? 0),
      }))
    })
  }

  /** Takes no new connections, and resolves when those that there are have ended, or after the time. */
  async stop(waitMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.runtime[Symbol.dispose]()
    running.stop()
    await Promise.race([running.ended, this.#context.clock.sleep(waitMs)])
    running.kill()
  }

  async #start(table: RoutingTable): Promise<void> {
    const { folder } = this.#options
    const old = this.#running
    const needed = table.backends.size
    const count = needed > this.#slots.count * 0.8 ? slotsFor(needed) : this.#slots.count
    const slots = assignSlots(noSlots(count), table.backends.keys())!
    const layout = layOut(table, slots)
    for (const [name, { pem }] of layout.certificates) writePrivate(certificateFileOf(folder, name), pem)
    writePrivate(defaultCertificateOf(folder), layout.defaultCertificate!)
    for (const [file, text] of renderFiles(this.#options, layout, count)) writePrivate(file, text)
    this.#applied = undefined
    const running = await startHaproxy(folder, this.#context)
    old?.runtime[Symbol.dispose]()
    this.#running = running
    void running.ended.then(() => {
      if (this.#running !== running) return
      this.#running = undefined
      this.#options.onEnded()
    })
    this.#slots = slots
    this.#applied = layout
    this.#retiring = new Set()
    this.#reloads.add(1)
    this.#removeCertificates(layout)
  }

  #removeCertificates({ certificates }: Layout): void {
    const { folder } = this.#options
    for (const name of readdirSync(`${folder}/certificates`))
      if (!certificates.has(name) && name !== basename(defaultCertificateOf(folder)))
        rmSync(certificateFileOf(folder, name))
  }

  #isBusy(slot: number): boolean {
    const start = `${nameOfSlot(slot)}/`
    for (const name of this.#retiring) if (name.startsWith(start)) return true
    return false
  }
}

const writePrivate = (file: string, text: string): void => writeFileSync(file, text, { mode: 0o600 })

function hasServer({ servers }: Layout, name: string): boolean {
  const slash = name.indexOf('/')
  return servers.get(name.slice(0, slash))?.has(name.slice(slash + 1)) ?? false
}
