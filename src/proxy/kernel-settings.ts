// effect: /proc
// Kernel parameters that Service rules depend on, and limits of the connection table as kube-proxy sets them.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { readSysctl, writeSysctls } from '#kernel/sysctl.ts'
import type { Logger } from '#daemon/log.ts'
import type { ProxyOptions } from '#proxy/options.ts'

export type ConntrackSettings = {
  /** entries for each processor core; 0: leave the limit alone */
  readonly maxPerCore: number
  /** no fewer than this many entries */
  readonly min: number
  /** seconds; 0: leave it alone */
  readonly tcpEstablishedSeconds: number
  readonly tcpCloseWaitSeconds: number
  readonly udpSeconds: number
  readonly udpStreamSeconds: number
  readonly tcpBeLiberal: boolean
}

/** Lets packets with an address of 127.0.0.0/8 leave the loopback interface, which NodePorts on localhost need. */
export const allowLocalhostNodePorts = (netns?: string): void =>
  void writeSysctls({ 'net/ipv4/conf/all/route_localnet': 1 }, netns)

/** Whether the kernel keeps packets outside of the TCP window from being INVALID; then they need not be dropped. */
export const isConntrackLiberal = (netns?: string): boolean =>
  (readSysctl('net/netfilter/nf_conntrack_tcp_be_liberal', netns) ?? '0') !== '0'

/** All that needs more rights than CAP_NET_ADMIN; a proxy that is started after it does without them. */
export function initialize(
  options: Pick<ProxyOptions, 'conntrack' | 'mode' | 'localhostNodePorts'>,
  log: Logger,
): void {
  setConntrack(options.conntrack, log)
  if (options.mode === 'iptables' && options.localhostNodePorts) allowLocalhostNodePorts()
}

/** A missing right is no reason not to work. */
export function setOomScore(value: number, log: Logger): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', `${value}`)
  } catch (error) {
    log.debug('The OOM score cannot be set here, left as it is', { value, err: error as Error })
  }
}

/** A parameter that this namespace may not set (only the first one may, for some) is told and left alone. */
export function setConntrack(settings: ConntrackSettings, log: Logger): void {
  const wanted: Readonly<Record<string, number>> = {
    nf_conntrack_max: maxEntries(settings),
    nf_conntrack_tcp_timeout_established: settings.tcpEstablishedSeconds,
    nf_conntrack_tcp_timeout_close_wait: settings.tcpCloseWaitSeconds,
    nf_conntrack_udp_timeout: settings.udpSeconds,
    nf_conntrack_udp_timeout_stream: settings.udpStreamSeconds,
    nf_conntrack_tcp_be_liberal: settings.tcpBeLiberal ? 1 : 0,
  }
  for (const [name, value] of Object.entries(wanted)) {
    const path = `net/netfilter/${name}`
    const now = readSysctl(path)
    if (value === 0 || now === undefined || now === `${value}`) continue
    try {
      writeSysctls({ [path]: value })
      log.info('Set sysctl', { entry: path, value })
    } catch (error) {
      log.debug('Sysctl cannot be set here, left as it is', { entry: path, value: now, err: error as Error })
    }
  }
}

/** More than 2^20 would only cost memory on machines with many cores. */
function maxEntries({ maxPerCore, min }: ConntrackSettings): number {
  return maxPerCore === 0 ? 0 : Math.min(Math.max(maxPerCore * availableParallelism(), min), 1048576)
}
