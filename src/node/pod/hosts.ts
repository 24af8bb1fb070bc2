// The files of a pod that name hosts: /etc/hosts as kubelet writes it, and the pod's own name.

import type { Pod } from '#api/core.ts'

type HostAlias = { readonly ip: string; readonly hostnames?: readonly string[] }

/** /etc/hosts of a pod with its own network. */
export function renderHosts(o: {
  readonly ips: readonly string[]
  readonly hostname: string
  /** '' where the pod has no subdomain */
  readonly domain: string
  readonly aliases: readonly HostAlias[]
}): string {
  const own = o.domain === '' ? o.hostname : `${o.hostname}.${o.domain}\t${o.hostname}`
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...o.ips.map((ip) => `${ip}\t${own}`),
    renderAliases(o.aliases),
  ].join('\n')
}

/** /etc/hosts of a pod on the node's network: the node's own file and the aliases. */
export const renderNodeHosts = (nodeHosts: string, aliases: readonly HostAlias[]): string =>
  `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${renderAliases(aliases)}`

const renderAliases = (aliases: readonly HostAlias[]) =>
  aliases.length === 0
    ? ''
    : `\n# Entries added by HostAliases.\n${aliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`).join('')}`

/** The longest name that the kernel takes for a host, without the closing NUL. */
const longestHostname = 63

/** The pod's host name, and its domain where it has a subdomain (the name of a headless Service). */
export function hostnameOf(pod: Pod, clusterDomain: string): { readonly hostname: string; readonly domain: string } {
  const { spec, metadata } = pod
  const wanted = spec?.hostnameOverride ?? (spec?.hostname || metadata?.name || '')
  const hostname = wanted.length <= longestHostname ? wanted : wanted.slice(0, longestHostname).replace(/[-.]+$/, '')
  const hasDomain = spec?.hostnameOverride === undefined && !!spec?.subdomain
  return { hostname, domain: hasDomain ? `${spec.subdomain}.${metadata?.namespace}.svc.${clusterDomain}` : '' }
}
