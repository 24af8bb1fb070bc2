// effect: HTTP servers
// The health check node ports of Services: a listener for each, opened and closed as Services come and go.
import type { Server } from 'node:http'
import { createServer } from '#daemon/http.ts'
import { messageOf } from '#daemon/error.ts'
import type { Logger } from '#daemon/log.ts'
import { answerService } from '#proxy/health/health-answer.ts'
import type { HealthPlan } from '#proxy/plan/health.ts'

export type ServiceHealthOptions = {
  /** where to listen: every address of the family, or those that NodePorts answer on */
  readonly addresses: readonly string[]
  readonly log: Logger
  isProxyHealthy(): boolean
  /** The port could not be opened; the message is kube-proxy's. */
  onFailure(plan: HealthPlan, message: string): void
  readonly nodeName: string
}

type Open = { plan: HealthPlan; readonly servers: readonly Server[] }

export class ServiceHealthServer implements Disposable {
  readonly #options: ServiceHealthOptions
  readonly #open = new Map<string, Open>()

  constructor(options: ServiceHealthOptions) {
    this.#options = options
  }

  /** Makes these, and no others, be served; `plans` by `namespace/name`. A port that fails is tried again next time. */
  async sync(plans: ReadonlyMap<string, HealthPlan>): Promise<void> {
    const { log } = this.#options
    for (const [service, { plan, servers }] of this.#open)
      if (plans.get(service)?.port !== plan.port) {
        log.debug('Closing healthcheck', { service, port: plan.port })
        close(servers)
        this.#open.delete(service)
      }
    for (const [service, plan] of plans) {
      const open = this.#open.get(service)
      if (open !== undefined) open.plan = plan
      else await this.#listen(service, plan)
    }
  }

  async #listen(service: string, plan: HealthPlan): Promise<void> {
    const { addresses, log, nodeName, onFailure } = this.#options
    const servers: Server[] = []
    try {
      log.debug('Opening healthcheck', { service, port: plan.port })
      for (const address of addresses) servers.push(await this.#serve(service, address, plan.port))
      this.#open.set(service, { plan, servers })
    } catch (error) {
      close(servers)
      const why = messageOf(error)
      log.error('Failed to start healthcheck', { node: nodeName, service, port: plan.port, err: why })
      onFailure(plan, `node ${nodeName} failed to start healthcheck "${service}" on port ${plan.port}: ${why}`)
    }
  }

  #serve(service: string, address: string, port: number): Promise<Server> {
    const server = createServer((_, response) => {
      const open = this.#open.get(service)
      if (open === undefined) response.destroy()
      else {
        const { status, headers, body } = answerService(open.plan, this.#options.isProxyHealthy())
        response.writeHead(status, headers).end(body)
      }
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port, ipv6Only: address === '::' }, () => resolve(server))
    })
  }

  [Symbol.dispose](): void {
    for (const { servers } of this.#open.values()) close(servers)
    this.#open.clear()
  }
}

function close(servers: readonly Server[]): void {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
}
