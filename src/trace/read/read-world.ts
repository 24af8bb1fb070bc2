// Files as people have them (dumps of one machine, of many, objects of the API) to what is known of the world.

import { parseConnections } from '#kernel/dump/connections.ts'
import { parseIpRules, ruleFamily } from '#kernel/dump/ip-rule.ts'
import { parseRoutes } from '#kernel/dump/ip-route.ts'
import { parseIpsets } from '#kernel/dump/ipset.ts'
import { parseVirtualServers } from '#kernel/dump/ipvsadm.ts'
import type { Parsed } from '#kernel/dump/lines.ts'
import { type DumpedLink, parseLinks } from '#kernel/dump/link.ts'
import { parseForwarding, parseNeighbours } from '#kernel/dump/neighbour.ts'
import { type ListeningSocket, parseSockets, protocolsIn } from '#kernel/dump/sockets.ts'
import { parseSysctls } from '#kernel/dump/sysctl.ts'
import { NftFormatError } from '#kernel/nft/ast.ts'
import { parseRulesetJson } from '#kernel/nftables/ruleset-json.ts'
import { SaveFormatError } from '#kernel/iptables/save.ts'
import { addressesOf, emptyMachine, type Machine } from '#trace/machine.ts'
import { identify, type InputKind } from '#trace/read/identify.ts'
import { type Input, openTable, readList, readSave } from '#trace/read/iptables.ts'
import { readNft } from '#trace/read/nft.ts'
import { nameReportFiles } from '#trace/read/node-reports.ts'
import { namePodFiles } from '#trace/read/pod-namespaces.ts'
import { readObjects, sortObjects } from '#trace/read/objects.ts'
import { type Objects, type World } from '#trace/world.ts'

export type { Input } from '#trace/read/iptables.ts'

export type ReadWorld = {
  readonly world: World
  /** what could not be read, for people */
  readonly problems: readonly string[]
  /** what each file was taken for */
  readonly inputs: readonly { readonly file: string; readonly kind: InputKind }[]
}

/** A machine whose name nobody told. */
export const unnamed = 'the node'

export function readWorld(given: readonly Input[]): ReadWorld {
  const files = namePodFiles(nameReportFiles(given))
  const problems: string[] = []
  const strange: string[] = []
  const inputs: { readonly file: string; readonly kind: InputKind }[] = []
  const machines = new Map<string, Machine>()
  const podMachines = new Map<string, Machine>()
  const objects: unknown[] = []
  for (const input of files) {
    const kind = identify(input.text, input.file)
    if (kind === undefined) {
      if (input.text.trim() !== '') strange.push(input.file)
      continue
    }
    inputs.push({ file: input.file, kind })
    if (kind === 'manifest') continue
    if (kind === 'objects') {
      const read = readObjects(input.text)
      if (typeof read === 'string') problems.push(`${input.file}: ${read}`)
      else objects.push(...read)
      continue
    }
    const owner = ownerOf(input.file)
    const group = owner.kind === 'pod' ? podMachines : machines
    const machine =
      group.get(owner.name) ??
      emptyMachine(owner.kind === 'pod' ? `pod/${owner.name.replace(/^default\//, '')}` : owner.name)
    group.set(owner.name, addInput(machine, kind, input, problems))
  }
  problems.push(...leftOut(strange))
  const sorted = sortObjects(objects)
  return {
    world: { machines: nameMachines([...machines.values()], sorted), podMachines, objects: sorted },
    problems,
    inputs,
  }
}

/** Bundles hold much that nobody here reads. */
const leftOut = (files: readonly string[]): readonly string[] =>
  files.length <= 3
    ? files.map((file) => `${file}: not known what this is; it is left out`)
    : [`${files.length} files are left out, as it is not known what they are: ${files.slice(0, 3).join(', ')} ...`]

/** `.../nodes/NAME/FILE`, `.../pods/NAMESPACE/NAME/FILE`, else the folder that the file lies in. */
function ownerOf(file: string): { readonly kind: 'node' | 'pod'; readonly name: string } {
  const parts = file.split('/')
  const pods = parts.lastIndexOf('pods')
  if (pods >= 0 && parts.length > pods + 3) return { kind: 'pod', name: `${parts[pods + 1]}/${parts[pods + 2]}` }
  const nodes = parts.lastIndexOf('nodes')
  return { kind: 'node', name: (nodes >= 0 && parts.length > nodes + 2 ? parts[nodes + 1] : undefined) ?? unnamed }
}

function addInput(machine: Machine, kind: InputKind, input: Input, problems: string[]): Machine {
  const { file, text } = input
  const take = <T>({ value, unread }: Parsed<T>): T => {
    const [first] = unread
    if (first !== undefined)
      problems.push(
        `${file}:${first.line}: ${unread.length === 1 ? 'a line is' : `${unread.length} lines are`} not understood: ${first.text.trim().slice(0, 80)}`,
      )
    return value
  }
  switch (kind) {
    case 'iptables-save':
      try {
        const open = openTable(text)
        if (open !== undefined)
          problems.push(
            `${file}: the table ${open} has no COMMIT: the text is cut off, and what stood behind is missing`,
          )
        const whole = open === undefined ? text : text.slice(0, text.lastIndexOf('\n') + 1)
        return { ...machine, iptables: [...machine.iptables, ...readSave({ file, text: whole })] }
      } catch (error) {
        if (!(error instanceof SaveFormatError)) throw error
        problems.push(`${file}: ${error.message}`)
        return machine
      }
    case 'iptables -L':
      return { ...machine, iptables: mergeLists(machine.iptables, readList(input)) }
    case 'ipset save':
      return { ...machine, sets: [...(machine.sets ?? []), ...take(parseIpsets(text))] }
    case 'ipvsadm':
      return { ...machine, virtualServers: [...(machine.virtualServers ?? []), ...take(parseVirtualServers(text))] }
    case 'conntrack':
      return { ...machine, connections: [...(machine.connections ?? []), ...take(parseConnections(text))] }
    case 'ip addr':
      return { ...machine, links: mergeLinks(machine.links ?? [], take(parseLinks(text))) }
    case 'ip route':
      return { ...machine, routes: [...(machine.routes ?? []), ...take(parseRoutes(text))] }
    case 'ip rule': {
      const rules = take(parseIpRules(text))
      const family = rules.map(ruleFamily).find((item) => item !== undefined) ?? (machine.rules === undefined ? 4 : 6)
      return { ...machine, rules: [...(machine.rules ?? []), ...rules.map((rule) => ({ ...rule, family }))] }
    }
    case 'ip neigh':
      return { ...machine, neighbours: [...(machine.neighbours ?? []), ...take(parseNeighbours(text))] }
    case 'bridge fdb':
      return { ...machine, forwarding: [...(machine.forwarding ?? []), ...take(parseForwarding(text))] }
    case 'sysctl':
      return { ...machine, sysctls: new Map([...(machine.sysctls ?? []), ...take(parseSysctls(text))]) }
    case 'nft list ruleset':
    case 'nft -j':
      try {
        // What the kernel said itself tells more.
        return machine.nftables === undefined || machine.nftables.sources !== undefined
          ? { ...machine, nftables: readNft(input, kind) }
          : machine
      } catch (error) {
        if (!(error instanceof NftFormatError)) throw error
        problems.push(`${file}: ${error.message}`)
        return machine
      }
    case 'nft bytecode': {
      const ruleset = parseRulesetJson(text)
      if (ruleset !== undefined) return { ...machine, nftables: { ruleset } }
      problems.push(`${file}: it is cut off or damaged`)
      return machine
    }
    case 'sockets':
      return { ...machine, sockets: mergeSockets(machine.sockets ?? {}, take(parseSockets(text)), protocolsIn(text)) }
    case 'resolv.conf':
    case 'ethtool':
    case 'conntrack -S':
    case 'health':
    case 'manifest':
    case 'objects':
      return machine
  }
}

type Sockets = NonNullable<Machine['sockets']>

const mergeSockets = (
  known: Sockets,
  more: readonly ListeningSocket[],
  protocols: readonly (keyof Sockets)[],
): Sockets => ({
  ...known,
  ...Object.fromEntries(
    protocols.map((name) => [name, [...(known[name] ?? []), ...more.filter(({ protocol }) => protocol === name)]]),
  ),
})

/** `iptables -L` shows one table at a time. */
function mergeLists(dumps: Machine['iptables'], list: Machine['iptables'][number]): Machine['iptables'] {
  const same = dumps.find(
    (dump) =>
      dump.backend === 'unknown' &&
      dump.family === list.family &&
      [...list.rules.keys()].every((table) => !dump.rules.has(table)),
  )
  if (same === undefined) return [...dumps, list]
  return dumps.map((dump) => (dump === same ? { ...dump, rules: new Map([...dump.rules, ...list.rules]) } : dump))
}

/** `ip link` knows details that `ip addr` may not, and the other way round. */
function mergeLinks(known: readonly DumpedLink[], more: readonly DumpedLink[]): readonly DumpedLink[] {
  const names = new Map(known.map((link) => [link.name, link]))
  for (const link of more)
    names.set(link.name, { ...names.get(link.name), ...link, ...addressesOfBoth(names.get(link.name), link) })
  return [...names.values()]
}

function addressesOfBoth(a: DumpedLink | undefined, b: DumpedLink): Pick<DumpedLink, 'addresses'> {
  if (a?.addresses === undefined) return {}
  const seen = new Set((b.addresses ?? []).map(({ ip }) => ip))
  return { addresses: [...a.addresses.filter(({ ip }) => !seen.has(ip)), ...(b.addresses ?? [])] }
}

/** A machine without a name is the Node whose address it has, or the only Node that there is. */
function nameMachines(machines: readonly Machine[], { nodes }: Objects): readonly Machine[] {
  const taken = new Set(machines.map(({ name }) => name))
  return machines.map((machine) => {
    if (machine.name !== unnamed) return machine
    const own = addressesOf(machine)
    const free = nodes.filter(({ metadata }) => !taken.has(metadata?.name ?? ''))
    const node =
      free.find(({ status }) => status?.addresses?.some(({ address }) => own?.has(address) ?? false)) ??
      (free.length === 1 && own === undefined ? free[0] : undefined)
    return node?.metadata?.name === undefined ? machine : { ...machine, name: node.metadata.name }
  })
}
