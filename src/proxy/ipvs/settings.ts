// effect: /proc/sys, netlink sockets
// Kernel parameters that IPVS mode depends on.
import { release } from 'node:os'
import type { IpvsTimeouts } from '#kernel/ipvs/codec.ts'
import type { Ipvs } from '#kernel/ipvs/ipvs.ts'
import { readSysctl, writeSysctls } from '#kernel/sysctl.ts'

export type IpvsSettings = {
  /** answer ARP for the addresses of an interface on that interface only, since kube-ipvs0 has everyone's */
  readonly strictArp: boolean
  readonly timeouts: IpvsTimeouts
}

export function setIpvs(ipvs: Ipvs, { strictArp, timeouts }: IpvsSettings, netns?: string): void {
  writeSysctls(ipvsSysctls(release(), strictArp), netns)
  if (timeouts.tcp > 0 || timeouts.tcpFin > 0 || timeouts.udp > 0) ipvs.setTimeouts(timeouts)
  if (readSysctl('net/ipv4/vs/conntrack', netns) !== '1')
    throw new Error('net.ipv4.vs.conntrack cannot be set: the kernel was built without CONFIG_IP_VS_NFCT')
}

/** `kernel`: its release. A reused port must not go to a server that is gone; since 5.9 the kernel sees to that itself. */
export function ipvsSysctls(kernel: string, strictArp: boolean): Readonly<Record<string, number>> {
  const [major = 0, minor = 0] = kernel.split('.').map((word) => Number.parseInt(word, 10))
  const reuses = major > 5 || (major === 5 && minor >= 9)
  return {
    // Connections are tracked, so that they can be masqueraded.
    'net/ipv4/vs/conntrack': 1,
    ...(!reuses && { 'net/ipv4/vs/conn_reuse_mode': 0 }),
    // A packet of a connection to a server that is gone ends it; so does a remembered client of one with weight 0.
    'net/ipv4/vs/expire_nodest_conn': 1,
    'net/ipv4/vs/expire_quiescent_template': 1,
    'net/ipv4/ip_forward': 1,
    ...(strictArp && { 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 }),
  }
}
