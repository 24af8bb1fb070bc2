// The options in the form of kube-proxy's configuration file, as /configz shows them.
import type { Address } from '#daemon/flags.ts'
import { formatDuration } from '#lib/duration.ts'
import type { ProxyOptions } from '#proxy/options.ts'

/** A KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1. */
export function configuration(options: Omit<ProxyOptions, 'client'>): unknown {
  const seconds = (value: number) => formatDuration(value * 1000)
  const { conntrack, ipvs } = options
  return {
    kind: 'KubeProxyConfiguration',
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    bindAddress: options.nodeIp ?? '0.0.0.0',
    healthzBindAddress: addressText(options.healthz),
    metricsBindAddress: addressText(options.metrics),
    bindAddressHardFail: options.bindAddressHardFail,
    hostnameOverride: options.nodeName,
    mode: options.mode,
    iptables: {
      masqueradeBit: options.masqueradeBit,
      masqueradeAll: options.masqueradeAll,
      localhostNodePorts: options.localhostNodePorts,
      syncPeriod: formatDuration(options.syncPeriodMs),
      minSyncPeriod: '0s',
    },
    nftables: {
      masqueradeBit: options.masqueradeBit,
      masqueradeAll: options.masqueradeAll,
      syncPeriod: formatDuration(options.syncPeriodMs),
      minSyncPeriod: '0s',
    },
    ipvs: {
      scheduler: ipvs.scheduler,
      excludeCIDRs: ipvs.excludeCidrs,
      strictARP: ipvs.strictArp,
      syncPeriod: formatDuration(options.syncPeriodMs),
      minSyncPeriod: '0s',
      tcpTimeout: seconds(ipvs.timeouts.tcp),
      tcpFinTimeout: seconds(ipvs.timeouts.tcpFin),
      udpTimeout: seconds(ipvs.timeouts.udp),
    },
    detectLocalMode: options.detectLocalMode,
    detectLocal: {
      bridgeInterface: options.podBridgeInterface ?? '',
      interfaceNamePrefix: options.podInterfaceNamePrefix ?? '',
    },
    clusterCIDR: options.clusterCidrs.join(','),
    nodePortAddresses: options.nodePortAddresses,
    ...(options.oomScoreAdj !== undefined && { oomScoreAdj: options.oomScoreAdj }),
    conntrack: {
      maxPerCore: conntrack.maxPerCore,
      min: conntrack.min,
      tcpEstablishedTimeout: seconds(conntrack.tcpEstablishedSeconds),
      tcpCloseWaitTimeout: seconds(conntrack.tcpCloseWaitSeconds),
      tcpBeLiberal: conntrack.tcpBeLiberal,
      udpTimeout: seconds(conntrack.udpSeconds),
      udpStreamTimeout: seconds(conntrack.udpStreamSeconds),
    },
  }
}

function addressText(address: Address | undefined): string {
  if (address === undefined) return ''
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
