// effect: namespaces, links, addresses, routes, mounts
// Makes the network of a plan: a router with a bridge per segment, and for each host its namespaces and a cable to its
// segment. Everything is synchronous and takes a few milliseconds per host.
import { existsSync, lstatSync, mkdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '#daemon/error.ts'
import { SystemError } from '#kernel/ffi.ts'
import { setHostname } from '#kernel/ffi.ts'
import { makePrivate, mounts, mountSysfs, mountTmpfs, unmount } from '#kernel/mount.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { createNamespaces, createNetns, unpin } from '#kernel/netns.ts'
import { openRoute, type Route } from '#kernel/route/open-route.ts'
import { writeSysctls } from '#kernel/sysctl.ts'
import { type ClusterPlan, defaultRoots, type Host, type Segment, segmentOf } from '#lab/plan.ts'

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

export const fabricExists = (plan: ClusterPlan): boolean => existsSync(marker(plan))

export type FabricOptions = {
  /** Called as soon as a host can be lived in, while the rest is still being made. */
  onHost?(host: Host): void
  /** Where `ip netns` looks for names. */
  readonly netnsFolder?: string
}

/** Makes all of it anew; what a broken attempt left is removed first. */
export function makeFabric(plan: ClusterPlan, options: FabricOptions = {}): void {
  const { onHost, netnsFolder = defaultRoots.netns } = options
  removeFabric(plan, netnsFolder)
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
  makeUplink(router, plan)
  for (const host of plan.hosts) {
    makeHost(router, host, segmentOf(plan, host))
    onHost?.(host)
  }
  mkdirSync(netnsFolder, { recursive: true })
  for (const { target, link } of netnsLinks(plan, netnsFolder)) symlinkSync(target, link)
  writeFileSync(marker(plan), '')
}

/** Takes everything away that makeFabric makes, also what is only half there. Processes must be gone before. */
export function removeFabric(plan: ClusterPlan, netnsFolder = defaultRoots.netns): void {
  using own = openRoute()
  own.deleteLink(plan.uplink.link)
  for (const { link } of netnsLinks(plan, netnsFolder)) removeLink(link)
  for (const { namespaces } of plan.hosts) for (const path of Object.values(namespaces)) unpin(path)
  unpin(plan.router.netns)
  const { runtime } = plan.paths
  for (const { target } of mounts().toReversed())
    if (target === runtime || target.startsWith(`${runtime}/`)) unmount(target)
  rmSync(runtime, { recursive: true, force: true })
  for (const folder of [dirname(runtime), netnsFolder]) removeIfEmpty(folder)
}

/** Makes traffic for addresses outside go to a node, as the router of a real network would have to be told. */
export function routeExternalAddress(plan: ClusterPlan, ip: string, node: Host): void {
  using router = openRoute(plan.router.netns)
  router.replaceRoute({ destination: `${ip}/${ip.includes(':') ? 128 : 32}`, via: node.ip })
}

function makeHost(router: Route, host: Host, segment: Segment): void {
  const { net } = host.namespaces
  explaining('namespaces', () => createNamespaces(host.namespaces, () => host.role === 'node' && furnishNode(host)))
  explaining('veth pairs', () =>
    router.addVeth({
      name: host.name,
      master: segment.name,
      up: true,
      peer: { name: 'eth0', mac: host.mac },
      peerNetns: net,
    }),
  )
  using route = openRoute(net)
  route.setLink('lo', { up: true })
  route.setLink('eth0', { up: true })
  route.addAddress({ link: 'eth0', cidr: `${host.ip}/${segment.prefix}` })
  route.replaceRoute({ destination: 'default', via: segment.gateway })
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

/** So that `ip netns exec CLUSTER-NODE ...` works; the pins themselves live in the cluster's own file system. */
const netnsLinks = (plan: ClusterPlan, folder: string) => [
  { link: `${folder}/${plan.router.netnsName}`, target: plan.router.netns },
  ...plan.hosts.map(({ netnsName, namespaces }) => ({ link: `${folder}/${netnsName}`, target: namespaces.net })),
]

/** Written last, in memory: it says that everything is there, and a reboot takes it away. */
const marker = (plan: ClusterPlan) => `${plan.paths.runtime}/complete`

function removeLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(path)
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
