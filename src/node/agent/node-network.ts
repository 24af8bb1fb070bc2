// effect: the node's bridge, the conflist file
// The pod network of this node: known from the last run, put right when the node gets another pod CIDR, or flannel says how
// long packets may be.
import { mkdirSync, readFileSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Logger } from '#daemon/log.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { describeNetwork } from '#node/cni/attach.ts'
import { parseConflist, planNetwork, renderConflist, type HairpinMode, type Network } from '#node/cni/network.ts'
import { parseSubnetFile } from '#node/cni/subnet-file.ts'
import { replaceFile } from '#node/sandbox/records.ts'

const notReady = 'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:'

export type NodeNetworkOptions = {
  readonly folder: string
  readonly hairpin: HairpinMode
  /** subnet.env, where flannel keeps it: nothing is done before it is there, and its MTU is the pods' */
  readonly subnetFile: string | undefined
  readonly log: Logger
  readonly apply: (network: Network) => void
}

export class NodeNetwork {
  readonly #o: NodeNetworkOptions
  readonly #path: string
  #applied = ''
  #podCidrs: readonly string[] = []
  #problem: string | undefined = `${notReady}the node has no pod CIDR yet`

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
    this.#podCidrs = podCidrs
    const { hairpin, subnetFile } = this.#o
    const mtu = subnetFile === undefined ? mtuOfNode() : parseSubnetFile(readText(subnetFile))?.mtu
    // On a restart, pods may go on with what was known.
    if (mtu === undefined) return this.#applied === '' && this.#refuse(`${notReady}${subnetFile} is not there yet`)
    const network = planNetwork(podCidrs, { hairpin, mtu })
    return network
      ? this.#apply(network)
      : this.#refuse(`the node's pod CIDR ${podCidrs.join(', ')} has no room for pods`)
  }

  /** Looks again whenever flannel writes its file, until the signal aborts; `onChange` where that changed anything. */
  watch(onChange: () => void, signal: AbortSignal): void {
    const { subnetFile } = this.#o
    if (subnetFile === undefined) return
    mkdirSync(dirname(subnetFile), { recursive: true })
    watch(dirname(subnetFile), { signal }, () => {
      if (this.#podCidrs.length > 0 && this.follow(this.#podCidrs)) onChange()
    })
  }

  #refuse(problem: string): boolean {
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
