// effect: the node's bridge, the conflist file
// The pod network of this node: known from the last run, put right when the node gets another pod CIDR.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '#daemon/log.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { describeNetwork } from '#node/cni/attach.ts'
import { parseConflist, planNetwork, renderConflist, type HairpinMode, type Network } from '#node/cni/network.ts'
import { replaceFile } from '#node/sandbox/records.ts'

export type NodeNetworkOptions = {
  readonly folder: string
  readonly hairpin: HairpinMode
  readonly log: Logger
  readonly apply: (network: Network) => void
}

export class NodeNetwork {
  readonly #o: NodeNetworkOptions
  readonly #path: string
  #applied = ''
  #problem: string | undefined =
    'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:the node has no pod CIDR yet'

  constructor(options: NodeNetworkOptions) {
    this.#o = options
    this.#path = join(options.folder, '10-fairway.conflist')
    const known = parseConflist(readText(this.#path))
    if (known) this.#apply({ ...known, hairpin: options.hairpin })
  }

  /** Why pods cannot have a network; undefined where they can. */
  readonly problem = (): string | undefined => this.#problem

  /** Answers whether anything changed. */
  follow(podCidrs: readonly string[]): boolean {
    const network = planNetwork(podCidrs, { hairpin: this.#o.hairpin, mtu: mtuOfNode() })
    if (network) return this.#apply(network)
    const problem = `the node's pod CIDR ${podCidrs.join(', ')} has no room for pods`
    const isNews = this.#problem !== problem
    this.#problem = problem
    return isNews
  }

  #apply(network: Network): boolean {
    const text = renderConflist(network)
    if (text === this.#applied) return false
    this.#o.apply(network)
    replaceFile(this.#path, text)
    this.#applied = text
    this.#problem = undefined
    this.#o.log.info(`Pods have a network: ${describeNetwork(network)}`)
    return true
  }
}

/** Of the link that leads out; pods' packets must fit through it. */
function mtuOfNode(): number {
  using route = openRoute()
  const out = route.routes({ family: 4 }).find(({ destination }) => destination === 'default')?.link
  return (out === undefined ? undefined : route.link(out)?.mtu) ?? 1500
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
