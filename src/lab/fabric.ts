// effect: namespaces, links, addresses, routes, mounts
// Makes the network of a plan: a router with a bridge per segment, and for each host its namespaces and a cable to its
// segment. Everything is synchronous and takes a few milliseconds per host.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Service } from '#api/core.ts'
import { UserError } from '#daemon/error.ts'
import { SystemError } from '#kernel/ffi.ts'
import { setHostname } from '#kernel/ffi.ts'
import { makePrivate, mounts, mountSysfs, mountTmpfs, unmount } from '#kernel/mount.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { createNamespaces, createNetns, unpin } from '#kernel/netns.ts'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { containsIp, parseCidr } from '#lib/cidr.ts'
import { type ClusterPlan, defaultRoots, type Host, nodesOf, type Paths, segmentOf, uplinkOf } from '#lab/plan.ts'

/** This very thread's network namespace, as a path. */
const here = '/proc/thread-self/ns/net'
const routerSysctls = {
  'net/ipv4/ip_forward': 1,
  'net/ipv4/conf/all/rp_filter': 0,
  'net/ipv4/conf/default/rp_filter': 0,
}
const nodeSysctls = {
  ...routerSysctls,
  'net/ipv6/conf/all/forwarding': 1,
  // Packets between two pods of one bridge must pass the Service rules too.
  'net/bridge/bridge-nf-call-iptables': 1,
  'net/bridge/bridge-nf-call-ip6tables': 1,
}

/** Whether the cluster's network is there; without it the cluster is stopped. */
export const isRunning = (plan: ClusterPlan): boolean => existsSync(marker(plan))

export type FabricOptions = {
  /** Called as soon as a host can be lived in, while the rest is still being made. */
  onHost?(host: Host): void
  /** Where `ip netns` looks for names. */
  readonly netnsFolder?: string
}

/** Makes all of it anew; what a broken attempt left is removed first. */
export function makeFabric(plan: ClusterPlan, options: FabricOptions = {}): void {
  const { onHost, netnsFolder = defaultRoots.netns } = options
  removeFabric(plan.options.name, plan.paths, netnsFolder)
  const { runtime } = plan.paths
  explaining('a file system in memory', () => {
    mkdirSync(runtime, { recursive: true, mode: 0o755 })
    mountTmpfs(runtime)
    makePrivate(runtime)
  })
  mkdirSync(plan.paths.processes)
  explaining('network namespaces', () => createNetns(plan.router.netns))
  writeSysctls(routerSysctls, plan.router.netns)
  using router = openRoute(plan.router.netns)
  router.setLink('lo', { up: true })
  for (const { name, gateway, prefix } of plan.router.segments) {
    explaining('bridges', () => router.addBridge({ name, up: true, multicastSnooping: false }))
    router.addAddress({ link: name, cidr: `${gateway}/${prefix}` })
  }
  // This machine takes both halves of the nodes' network for one; the router answers it for the far one.
  if (plan.options.subnets === 2) writeSysctls({ 'net/ipv4/conf/lan/proxy_arp': 1 }, plan.router.netns)
  makeUplink(router, plan)
  mkdirSync(netnsFolder, { recursive: true })
  symlinkSync(plan.router.netns, join(netnsFolder, plan.router.netnsName))
  for (const host of plan.hosts) {
    makeHost(router, plan, host, netnsFolder)
    onHost?.(host)
  }
  writeFileSync(marker(plan), '')
}

/** Adds a host to a fabric that is there; what a broken attempt left of it is removed first. */
export function addHost(plan: ClusterPlan, host: Host, netnsFolder = defaultRoots.netns): void {
  removeHost(plan, host, netnsFolder)
  using router = openRoute(plan.router.netns)
  makeHost(router, plan, host, netnsFolder)
}

/** Pulls the cable of a host. */
export function unplugHost(plan: ClusterPlan, { link }: Host): void {
  using router = openRoute(plan.router.netns)
  router.deleteLink(link)
}

/** Its namespaces end with their last process. */
export function removeHost(plan: ClusterPlan, host: Host, netnsFolder = defaultRoots.netns): void {
  unplugHost(plan, host)
  removeLinksTo(netnsFolder, host.namespaces.net)
  for (const path of Object.values(host.namespaces)) unpin(path)
}

export const hostExists = ({ namespaces, role }: Host): boolean => {
  const pinned = new Set(mounts().flatMap(({ type, target }) => (type === 'nsfs' ? target : [])))
  return role === 'node' ? Object.values(namespaces).every((path) => pinned.has(path)) : pinned.has(namespaces.net)
}

/**
 * Takes everything away that makeFabric makes, as it is found and not as it was planned, so that nothing is left of a
 * half-made or forgotten one. Processes must be gone before.
 */
export function removeFabric(name: string, { runtime }: Paths, netnsFolder = defaultRoots.netns): void {
  using own = openRoute()
  own.deleteLink(uplinkOf(name))
  removeLinksTo(netnsFolder, runtime)
  for (const { target, type } of mounts()) if (type === 'nsfs' && target.startsWith(`${runtime}/`)) unpin(target)
  for (const { target } of mounts().toReversed())
    if (target === runtime || target.startsWith(`${runtime}/`)) unmount(target)
  rmSync(runtime, { recursive: true, force: true })
  for (const folder of [dirname(runtime), netnsFolder]) removeIfEmpty(folder)
}

/**
 * Makes traffic for the external addresses of Services go to the first node, as the router of a real network would have
 * to be told. Addresses of the cluster's own networks are there already.
 */
export function routeExternalAddresses(plan: ClusterPlan, services: readonly Service[]): void {
  const node = nodesOf(plan)[0]
  if (node === undefined) return
  using router = openRoute(plan.router.netns)
  const own = plan.router.segments.map(({ gateway, prefix }) => parseCidr(`${gateway}/${prefix}`)!)
  for (const ip of new Set(services.flatMap(({ spec }) => spec?.externalIPs ?? [])))
    if (!own.some((network) => containsIp(network, ip)) && !ip.includes(':'))
      router.replaceRoute({ destination: `${ip}/32`, via: node.ip })
}

function makeHost(router: Route, plan: ClusterPlan, host: Host, netnsFolder: string): void {
  const { net } = host.namespaces
  const segment = segmentOf(plan, host)
  explaining('namespaces', () => createNamespaces(host.namespaces, () => host.role === 'node' && furnishNode(host)))
  explaining('veth pairs', () =>
    router.addVeth({
      name: host.link,
      master: segment.name,
      up: true,
      peer: { name: 'eth0', mac: host.mac },
      peerNetns: net,
    }),
  )
  if (host.role === 'balancer') writeSysctls(routerSysctls, net)
  using route = openRoute(net)
  route.setLink('lo', { up: true })
  route.setLink('eth0', { up: true })
  route.addAddress({ link: 'eth0', cidr: `${host.ip}/${segment.prefix}` })
  route.replaceRoute({ destination: 'default', via: segment.gateway })
  // So that `ip netns exec CLUSTER-NODE ...` works; the pin itself lives in the cluster's own file system.
  symlinkSync(net, join(netnsFolder, host.netnsName))
}

/** Runs inside the new namespaces: what a node sees in place of the machine's own. */
function furnishNode(host: Host): void {
  setHostname(host.name)
  // What is mounted below the machine's /run (namespaces of other clusters, of other programs) is none of the node's.
  for (const { target } of mounts().toReversed()) if (target.startsWith('/run/')) unmount(target)
  mountTmpfs('/run')
  for (const folder of ['/run/netns', '/run/lock']) mkdirSync(folder)
  mountSysfs('/sys')
  mountTmpfs('/sys/fs/cgroup')
  const missing = writeSysctls(nodeSysctls)
  if (missing.some((name) => name.startsWith('net/bridge/')))
    throw new UserError('this kernel does not show bridged packets to the firewall (br_netfilter is not loaded)', {
      code: 'MissingKernelFeature',
      remedy: 'run: modprobe br_netfilter   (or give --load-modules)',
    })
}

function makeUplink(router: Route, plan: ClusterPlan): void {
  const { link, ip, prefix, mac } = plan.uplink
  router.addVeth({ name: 'uplink', master: 'lan', up: true, peer: { name: link, mac }, peerNetns: here })
  using own = openRoute()
  own.addAddress({ link, cidr: `${ip}/${prefix}` })
  own.setLink(link, { up: true })
}

/** Written last, in memory: it says that everything is there, and a reboot takes it away. */
const marker = (plan: ClusterPlan) => `${plan.paths.runtime}/complete`

/** Names of `ip netns` that lead to this path, or below it. */
function removeLinksTo(folder: string, path: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const target = readlinkSync(join(folder, entry.name))
    if (target === path || target.startsWith(`${path}/`)) rmSync(join(folder, entry.name))
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EBUSY') throw error
  }
}

/** Turns the kernel's refusal to make something into words that name what is missing. */
function explaining(what: string, make: () => void): void {
  try {
    make()
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof NetlinkError)) throw error
    if (error.code === 'EPERM' || error.code === 'EACCES')
      throw new UserError(`root may not make ${what} here: ${error.message}`, {
        code: 'NotAllowed',
        remedy: 'a container needs --privileged for this (or CAP_SYS_ADMIN and CAP_NET_ADMIN)',
        cause: error,
      })
    if (['EOPNOTSUPP', 'ENODEV', 'ENOSYS', 'EINVAL', 'ENOSPC'].includes(error.code))
      throw new UserError(`this kernel makes no ${what}: ${error.message}`, {
        code: 'MissingKernelFeature',
        remedy: 'use a kernel with namespaces, veth, bridge and br_netfilter, as every distribution has it',
        cause: error,
      })
    throw error
  }
}
