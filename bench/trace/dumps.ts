// The same Services, ten endpoints each, as iptables-save and as nft print the layouts of kube-proxy.

export const serviceIp = (i: number): string => `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
const endpointIp = (n: number): string => `10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`
const endpoints = 10
const name = (i: number): string => i.toString(36).toUpperCase().padStart(16, 'A')

export function iptablesDump(services: number): string {
  const heads: string[] = []
  const rules: string[] = []
  const first: string[] = []
  for (let i = 0; i < services; i++) {
    const [chain, about] = [`KUBE-SVC-${name(i)}`, `-m comment --comment "default/service-${i}:http`]
    heads.push(`:${chain} - [0:0]`)
    first.push(`-A KUBE-SERVICES -d ${serviceIp(i)}/32 -p tcp ${about} cluster IP" -m tcp --dport 80 -j ${chain}`)
    rules.push(
      `-A ${chain} ! -s 10.244.0.0/16 -d ${serviceIp(i)}/32 -p tcp ${about} cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ`,
    )
    for (let e = 0; e < endpoints; e++) {
      const [to, ip] = [`KUBE-SEP-${name(i * endpoints + e)}`, endpointIp(i * endpoints + e)]
      heads.push(`:${to} - [0:0]`)
      const chance =
        e === endpoints - 1 ? '' : ` -m statistic --mode random --probability ${(1 / (endpoints - e)).toFixed(11)}`
      rules.push(`-A ${chain} ${about} -> ${ip}:8080"${chance} -j ${to}`)
      rules.push(`-A ${to} -s ${ip}/32 ${about}" -j KUBE-MARK-MASQ`)
      rules.push(`-A ${to} -p tcp ${about}" -m tcp -j DNAT --to-destination ${ip}:8080`)
    }
  }
  const builtIn = ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'].map((chain) => `:${chain} ACCEPT [0:0]`)
  const own = ['KUBE-SERVICES', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING'].map((chain) => `:${chain} - [0:0]`)
  const frame = [
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
    '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
    '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
    '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
    '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
  ]
  return ['*nat', ...builtIn, ...own, ...heads, ...frame, ...first, ...rules, 'COMMIT', ''].join('\n')
}

export function nftDump(services: number): string {
  const entries: string[] = []
  const chains: string[] = []
  for (let i = 0; i < services; i++) {
    const chain = `service-${name(i)}-default/service-${i}/tcp/http`
    entries.push(`${serviceIp(i)} . tcp . 80 : goto ${chain}`)
    const to = Array.from({ length: endpoints }, (_, e) => `${e} : ${endpointIp(i * endpoints + e)} . 8080`)
    chains.push(
      `\tchain ${chain} {`,
      `\t\tip daddr ${serviceIp(i)} tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade`,
      `\t\tmeta l4proto tcp dnat ip to numgen random mod ${endpoints} map { ${to.join(', ')} }`,
      '\t}',
      '',
    )
  }
  return `table ip kube-proxy {
\tmap service-ips {
\t\ttype ipv4_addr . inet_proto . inet_service : verdict
\t\telements = { ${entries.join(',\n\t\t\t     ')} }
\t}

${chains.join('\n')}
\tchain mark-for-masquerade {
\t\tmeta mark set meta mark | 0x00004000
\t}

\tchain nat-prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tip daddr . meta l4proto . th dport vmap @service-ips
\t}

\tchain nat-postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tmeta mark & 0x00004000 != 0x00004000 return
\t\tmeta mark set meta mark ^ 0x00004000
\t\tmasquerade fully-random
\t}
}
`
}
