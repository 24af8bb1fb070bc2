// Rules for addresses that no Service has: of a Service that is gone, of another proxy, or by hand.

import { restart } from '#doctor/remedy.ts'
import { formatIp } from '#lib/ip.ts'
import { decidingStep, renderStep } from '#doctor/compare/owner.ts'
import { ask } from '#doctor/compare/asker.ts'
import { observe } from '#doctor/compare/observe.ts'
import { plural, someOf } from '#doctor/compare/words.ts'
import { type Finding, finding } from '#doctor/finding.ts'
import type { Case } from '#doctor/checks/check.ts'
import type { NodeView } from '#doctor/view.ts'
import { addressesOf, type Machine } from '#trace/machine.ts'
import { renderEnd } from '#trace/packet.ts'

type Address = { readonly ip: string; readonly port: number; readonly protocol: string }
const keyOfAddress = ({ ip, port, protocol }: Address) => `${protocol} ${renderEnd(ip, port)}`

export function checkStaleServices({ view, comparison, only }: Case): readonly Finding[] {
  if (only !== undefined || view.services === undefined || view.slices === undefined) return []
  const known = new Set(
    comparison.fronts.flatMap(({ front: { ip, port, protocol } }) =>
      ip === undefined ? [] : [keyOfAddress({ ip, port, protocol })],
    ),
  )
  const backends = new Set(comparison.fronts.flatMap(({ front }) => front.backends.map(({ ip }) => ip)))
  const ports = new Set(
    comparison.fronts.flatMap(({ front: { kind, port, protocol } }) =>
      kind === 'node-port' ? [`${protocol} ${port}`] : [],
    ),
  )
  return view.nodes.flatMap((node) => {
    const strange = addressesOfRules(node.machine)
      .flatMap(onNode(node, ports))
      .filter((address) => !known.has(keyOfAddress(address)) && !backends.has(address.ip))
    const led = strange.flatMap((address) => leads(node, address))
    return led.length === 0 ? [] : [toFinding(node, led)]
  })
}

/** Rules for every address of the node, or for one of them, are about node ports. */
const onNode =
  ({ ips, machine }: NodeView, ports: ReadonlySet<string>) =>
  (address: Address): readonly Address[] => {
    const isAny = address.ip === '0.0.0.0' || address.ip === '::'
    const isNodePort = ports.has(`${address.protocol} ${address.port}`)
    if (!isAny)
      return isNodePort && (ips.includes(address.ip) || addressesOf(machine)?.has(address.ip)) ? [] : [address]
    const ip = ips.find((own) => own.includes(':') === address.ip.includes(':'))
    return ip === undefined || isNodePort ? [] : [{ ...address, ip }]
  }

type Led = { readonly address: Address; readonly to: readonly string[]; readonly evidence: string }

function leads(node: NodeView, address: Address): readonly Led[] {
  const family = address.ip.includes(':') ? 6 : 4
  const front = {
    ...address,
    service: '',
    kind: 'cluster-ip' as const,
    family: family as 4 | 6,
    portName: '',
    backends: [],
  }
  const question = ask(node, front, 'pod') ?? ask(node, front, 'outside')
  if (question === undefined) return []
  const { to } = observe(node.machine, question.packet, question.entry, node.ips.includes(address.ip))
  const [first] = to.values()
  const step = first && decidingStep(first.steps, /destination becomes|IPVS|real server/)
  return to.size === 0 ? [] : [{ address, to: [...to.keys()], evidence: step === undefined ? '' : renderStep(step) }]
}

function toFinding(node: NodeView, led: readonly Led[]): Finding {
  const names = led.map(({ address }) => `${renderEnd(address.ip, address.port)}/${address.protocol}`)
  return finding({
    code: 'StaleService',
    about: `node/${node.name}`,
    nodes: [node.name],
    summary: `${node.name} has rules for ${plural(led.length, 'address', 'addresses')} that no Service has: ${someOf(names)}`,
    evidence: led.slice(0, 4).map(({ evidence }) => evidence),
    consequence: `whoever still asks ${someOf(names)} is led to ${someOf(led.flatMap(({ to }) => to))}; a new Service that gets the address inherits that`,
    remedy: restart('proxy', [node.name]),
  })
}

/** Whatever the rules single out by address, protocol and port. */
function addressesOfRules(machine: Machine): readonly Address[] {
  const found = new Map<string, Address>()
  const add = (address: Address) => found.set(keyOfAddress(address), address)
  for (const { rules } of machine.iptables)
    for (const chain of rules.get('nat')?.values() ?? [])
      for (const rule of chain.rules) {
        const { destination, protocol } = rule
        const port = rule.matches.find((match) => match.kind === 'ports')?.destination
        if (destination === undefined || destination.not === true || !/\/(32|128)$/.test(destination.value)) continue
        if (port === undefined || port.not === true || !/^\d+$/.test(port.value)) continue
        add({ ip: destination.value.split('/')[0]!, port: Number(port.value), protocol: protocol?.value ?? 'tcp' })
      }
  for (const table of machine.nftables?.ruleset.tables ?? [])
    for (const set of table.sets) {
      const [type, transport, service] = set.key
      if (
        set.data === undefined ||
        (type !== 'ipv4' && type !== 'ipv6') ||
        transport !== 'protocol' ||
        service !== 'port'
      )
        continue
      const length = type === 'ipv4' ? 4 : 16
      for (const { key } of set.elements) {
        if (key.length < length + 8) continue
        const protocol = { 6: 'tcp', 17: 'udp', 132: 'sctp' }[key[length]!]
        if (protocol !== undefined)
          add({ ip: formatIp(key.subarray(0, length)), port: (key[length + 4]! << 8) | key[length + 5]!, protocol })
      }
    }
  for (const { address } of machine.virtualServers ?? [])
    if (address.kind !== 'mark') add({ ip: address.ip, port: address.port, protocol: address.kind })
  return [...found.values()]
}
