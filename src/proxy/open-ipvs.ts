// effect: looks for IPVS, ipsets and iptables; kernel parameters
import type { Logger } from '#daemon/log.ts'
import { UserError } from '#daemon/error.ts'
import { type Iptables, findIptables, IptablesError } from '#kernel/iptables/program.ts'
import { type Ipset, openIpset } from '#kernel/ipset/ipset.ts'
import { type Ipvs, openIpvs } from '#kernel/ipvs/ipvs.ts'
import { NetlinkError } from '#kernel/netlink/socket.ts'
import { openRoute } from '#kernel/route/open-route.ts'
import { IpvsDataplane } from '#proxy/ipvs/ipvs-dataplane.ts'
import type { Scheduler } from '#proxy/ipvs/options.ts'
import { setIpvs } from '#proxy/ipvs/settings.ts'
import type { OpenDataplane } from '#proxy/open-dataplane.ts'
import type { ProxyOptions } from '#proxy/options.ts'
import type { Family } from '#proxy/state.ts'

/** Throws UserError that names what this machine lacks. */
export async function openIpvsPlanes(
  families: readonly Family[],
  options: ProxyOptions,
  log: Logger,
): Promise<ReadonlyMap<Family, OpenDataplane>> {
  using ipvs = openIpvs()
  using ipset = openIpset()
  if (ipvs === undefined) throw missing('IPVS (the module ip_vs)')
  checkScheduler(ipvs, options.ipvs.scheduler)
  setIpvs(ipvs, options.ipvs)
  const planes = new Map<Family, OpenDataplane>()
  for (const family of families) {
    checkSets(ipset, family)
    planes.set(family, opener(await find(family, options), options))
  }
  if (options.ipvs.strictArp) log.info('Strict ARP is on')
  return planes
}

function opener(iptables: Iptables, options: ProxyOptions): OpenDataplane {
  const { masqueradeBit, masqueradeAll } = options
  const { scheduler, excludeCidrs } = options.ipvs
  return ({ local, nodePortIps, machineIps }) =>
    new IpvsDataplane(
      { ipvs: openIpvs()!, ipset: openIpset(), route: openRoute(), iptables },
      {
        family: iptables.family,
        scheduler,
        masqueradeMark: 2 ** masqueradeBit,
        masqueradeAll,
        local,
        nodePortIps: nodePortIps === 'all' ? machineIps : nodePortIps,
        ownIps: machineIps,
        excludeCidrs,
      },
    )
}

async function find(family: Family, { iptablesBackend }: ProxyOptions): Promise<Iptables> {
  try {
    return await findIptables(family, { backend: iptablesBackend })
  } catch (cause) {
    if (!(cause instanceof IptablesError)) throw cause
    throw new UserError(`IPVS mode needs iptables too: ${cause.message}`, {
      code: 'NoIptables',
      remedy: 'install it (on Debian: apt-get install iptables), or choose --proxy-mode nftables',
      cause,
    })
  }
}

/** Only a virtual server tells whether the kernel has a scheduler. The address is nobody's (TEST-NET-2, RFC 5737). */
function checkScheduler(ipvs: Ipvs, scheduler: Scheduler): void {
  if (ipvs.virtualServers().some((server) => server.scheduler === scheduler)) return
  const probe = { protocol: 'tcp', address: '198.51.100.0', port: 1 } as const
  try {
    ipvs.addVirtualServer({ ...probe, scheduler, flags: 0, persistentSeconds: 0 })
    ipvs.deleteVirtualServer(probe)
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== 'ENOENT') throw error
    throw missing(`the scheduler ${scheduler} (the module ip_vs_${scheduler})`)
  }
}

function checkSets(ipset: Ipset, family: Family): void {
  const types = ipset.missingTypes(family)
  if (types.length === 0) return
  const modules = types.map((type) => `ip_set_${type.replaceAll(/[:,]/g, (mark) => (mark === ':' ? '_' : ''))}`)
  throw missing(`ipsets of type ${types.join(' and ')} (the modules ${modules.join(', ')})`)
}

const missing = (what: string) =>
  new UserError(`IPVS mode does not work on this kernel: it lacks ${what}`, {
    code: 'NoIpvs',
    remedy: 'load the modules named, or choose --proxy-mode nftables',
  })
