// effect: netlink sockets, /proc/sys, programs of the machine, of one network namespace
// All that the kernel knows of a network namespace, in the words of the usual programs. Links, routes and nftables come by
// netlink, so that a machine without iproute2 and nft has them too; rules of iptables and the rest by their programs.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connectInNetns } from '#kernel/connect-in-netns.ts'
import { listeningSockets } from '#kernel/listening.ts'
import { renderForwarding, renderNeighbours } from '#kernel/dump/neighbour.ts'
import { renderIpRules } from '#kernel/dump/ip-rule.ts'
import { renderRoutes } from '#kernel/dump/ip-route.ts'
import { parseLinks, renderLinks } from '#kernel/dump/link.ts'
import { renderSockets } from '#kernel/dump/sockets.ts'
import { renderSysctls } from '#kernel/dump/sysctl.ts'
import {
  observeForwarding,
  observeLinks,
  observeNeighbours,
  observeRoutes,
  observeRules,
} from '#kernel/dump/observe.ts'
import { withNetns } from '#kernel/netns.ts'
import { readRuleset } from '#kernel/nftables/read-ruleset.ts'
import { renderRulesetJson } from '#kernel/nftables/ruleset-json.ts'
import { openRoute } from '#kernel/route/open-route.ts'

/** A file of the snapshot without the folder that says whose it is. */
type StateFile = { readonly name: string; readonly text: string }
export type NamespaceState = { readonly files: readonly StateFile[]; readonly gaps: readonly string[] }

/** `netns`: the path of a pin; undefined: the caller's own. `withPrograms`: false for pods, which have no rules to speak of. */
export async function collectNamespace(netns: string | undefined, withPrograms = true): Promise<NamespaceState> {
  const files: StateFile[] = []
  const gaps: string[] = []
  const add = (name: string, text: () => string) => {
    try {
      files.push({ name, text: text() })
    } catch (error) {
      gaps.push(`${name}: ${(error as Error).message}`)
    }
  }
  add('nftables.json', () => `${renderRulesetJson(readRuleset({ netns }))}\n`)
  add('sysctl.txt', () => renderSysctls(withNetns(netns, readNetworkSysctls)))
  add('sockets.txt', () => renderSockets(listeningSockets(netns)))
  try {
    using route = openRoute(netns)
    add('ip-addr.json', () => renderLinks(observeLinks(route)))
    add('ip-route.json', () => renderRoutes(observeRoutes(route)))
    add('ip-rule4.txt', () => renderIpRules(observeRules(route, 4)))
    add('ip-rule6.txt', () => renderIpRules(observeRules(route, 6)))
    add('ip-neigh.txt', () => renderNeighbours(observeNeighbours(route)))
    add('bridge-fdb.txt', () => renderForwarding(observeForwarding(route)))
  } catch (error) {
    gaps.push(`links and routes: ${(error as Error).message}`)
  }
  for (const { name, command, needs } of withPrograms ? [...programs, ...tunnelPrograms(files)] : []) {
    if (needs !== undefined && !existsSync(needs)) continue
    const said = await capture(command, netns)
    if (said.kind === 'said') files.push({ name, text: said.text })
    else if (said.kind === 'failed') gaps.push(`${name}: ${said.why}`)
  }
  const health = withPrograms ? await askHealth(netns) : undefined
  if (health !== undefined) files.push({ name: 'proxy-healthz.txt', text: health })
  return { files, gaps }
}

type Program = {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  readonly needs?: string
}

/** Programs that a machine may not have; where one is missing there is usually nothing that it would show. */
const programs: readonly Program[] = [
  { name: 'iptables-save.txt', command: ['iptables-save', '-c'] },
  { name: 'ip6tables-save.txt', command: ['ip6tables-save', '-c'] },
  { name: 'ipset.txt', command: ['ipset', 'save'] },
  // ipvsadm would load the module
  { name: 'ipvsadm.txt', command: ['ipvsadm', '-Sn'], needs: '/proc/net/ip_vs' },
  { name: 'conntrack.txt', command: ['conntrack', '-L', '-o', 'extended'] },
  { name: 'conntrack-stats.txt', command: ['conntrack', '-S'] },
]

/** What tunnels leave to the card. */
const tunnelPrograms = (files: readonly StateFile[]): readonly Program[] =>
  parseLinks(files.find(({ name }) => name === 'ip-addr.json')?.text ?? '[]').value.flatMap(({ name, vxlan }) =>
    vxlan === undefined ? [] : [{ name: `ethtool-${name}.txt`, command: ['ethtool', '-k', name] }],
  )

const healthPort = 10_256
const mostHealthMs = 2000

/** What the proxy of the node says of itself: head and body as they came; undefined where nobody answers. */
async function askHealth(netns: string | undefined): Promise<string | undefined> {
  const socket = await connectInNetns(netns, healthPort).catch(() => undefined)
  if (socket === undefined) return undefined
  const deadline = setTimeout(() => socket.destroy(), mostHealthMs)
  try {
    socket.end('GET /healthz HTTP/1.0\r\n\r\n')
    const parts: Uint8Array[] = []
    for await (const part of socket as AsyncIterable<Uint8Array>) parts.push(part)
    return Buffer.concat(parts).toString()
  } catch {
    return undefined
  } finally {
    clearTimeout(deadline)
    socket.destroy()
  }
}

type Said =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly why: string }

const mostMs = 30_000

function capture([program, ...words]: readonly [string, ...string[]], netns: string | undefined): Promise<Said> {
  return new Promise((resolve) => {
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
    const child = withNetns(netns, () =>
      spawn(program, words, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, PATH: path },
        timeout: mostMs,
      }),
    )
    const [stdout, stderr]: [Uint8Array[], Uint8Array[]] = [[], []]
    child.stdout.on('data', (part: Uint8Array) => stdout.push(part))
    child.stderr.on('data', (part: Uint8Array) => stderr.push(part))
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ENOENT' ? { kind: 'absent' } : { kind: 'failed', why: error.message }),
    )
    child.on('close', (status) => {
      const text = Buffer.concat(stdout).toString()
      const why = Buffer.concat(stderr).toString().trim().split('\n')[0] ?? ''
      resolve(
        status === 0 ? { kind: 'said', text } : { kind: 'failed', why: `${program} exited with ${status}: ${why}` },
      )
    })
  })
}

/** Everything below net that is readable and short; counters of the whole machine are no setting. */
function readNetworkSysctls(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const walk = (folder: string, name: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      // A dot in the name of an interface is a slash in that of its parameters.
      const next = `${name}.${entry.name.replaceAll('.', '/')}`
      if (entry.isDirectory()) walk(`${folder}/${entry.name}`, next)
      else {
        try {
          const text = readFileSync(`${folder}/${entry.name}`, 'utf8').trim()
          if (!text.includes('\n')) found.set(next, text)
        } catch {
          // written only, or not for this namespace
        }
      }
    }
  }
  walk('/proc/sys/net', 'net')
  return found
}
