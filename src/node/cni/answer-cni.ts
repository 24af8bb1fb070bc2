// effect: network links of pods, files of leases
// One call of a CNI runtime: what it asks is done, and what it shall be told is answered. Every call may be killed at any moment
// and made again.
import { readFileSync } from 'node:fs'
import { messageOf } from '#daemon/error.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { attach, checkAttachment, collect, detach, ensureBridge, isOpenable } from '#node/cni/attach.ts'
import { hostLinkOf, isSameOwner } from '#node/cni/attachment.ts'
import { HostPortTaken } from '#node/cni/host-ports.ts'
import { LeaseStore, NoAddressLeft } from '#node/cni/lease-store.ts'
import { CniError, type CniRequest, parseRequest, renderError, resultOf, versionsOf } from '#node/cni/protocol.ts'

export type CniAnswer = {
  readonly exitCode: 0 | 1
  /** for standard output; undefined: nothing */
  readonly body: object | undefined
}

export function answerCni(environment: Readonly<Record<string, string | undefined>>, input: string): CniAnswer {
  let version = '1.1.0'
  try {
    const request = parseRequest(environment, input, readFile)
    version = request.version
    return { exitCode: 0, body: act(request) }
  } catch (error) {
    return { exitCode: 1, body: renderError(version, toCniError(error)) }
  }
}

function act(request: CniRequest): object | undefined {
  if (request.command === 'VERSION') return versionsOf(request.version)
  const { network, dataDir } = request
  const leases = new LeaseStore(dataDir)
  switch (request.command) {
    case 'ADD':
      return add(request, leases)
    case 'DEL':
      detach(network.name, leases, request.owner)
      return undefined
    case 'CHECK':
      return void check(request, leases)
    case 'GC': {
      const { valid } = request
      collect(network, leases, (owner) => valid.some((one) => isSameOwner(one, owner)))
      return undefined
    }
    case 'STATUS':
      // Whether links can be made here at all.
      ensureBridge(network)
      return undefined
  }
}

function add(request: Extract<CniRequest, { command: 'ADD' }>, leases: LeaseStore): object {
  const { network, owner, netns, hostPorts, version } = request
  if (!isOpenable(netns)) throw new CniError('unknownContainer', `there is no network namespace at ${netns}`)
  {
    using inside = openRoute(netns)
    const isOurs = checkAttachment(network, leases, owner, netns).length > 0 && leases.holds(network.name, owner)
    // A cable that an attempt before this one has left is laid anew; one that is whole, or a stranger's, is not touched.
    if (inside.link(owner.ifname) !== undefined && !isOurs)
      throw new CniError('interfaceExists', `${owner.ifname} exists already in ${netns}`)
  }
  ensureBridge(network)
  try {
    const attachment = attach(network, leases, owner, netns, { hostPorts })
    using route = openRoute()
    const macOf = (name: string) => route.link(name)?.mac ?? ''
    return resultOf(version, attachment, netns, { bridge: macOf(network.bridge), host: macOf(attachment.hostLink) })
  } catch (error) {
    detach(network.name, leases, owner)
    throw error
  }
}

function check(request: Extract<CniRequest, { command: 'CHECK' }>, leases: LeaseStore): void {
  const { network, owner, netns, previous } = request
  const problems = [...checkAttachment(network, leases, owner, netns)]
  const held = leases.list(network.name).filter((lease) => isSameOwner(lease.owner, owner))
  for (const ip of previous.addresses)
    if (!held.some((lease) => lease.ip === ip)) problems.push(`${ip} is not leased to ${owner.containerId}`)
  if (problems.length > 0)
    throw new CniError('notAsItShouldBe', problems.join('; '), `the node's end of the cable is ${hostLinkOf(owner)}`)
}

function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error
  if (error instanceof NoAddressLeft) return new CniError('noAddress', error.message)
  if (error instanceof HostPortTaken) return new CniError('hostPortTaken', error.message)
  return new CniError('io', messageOf(error))
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
