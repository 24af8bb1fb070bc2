// The rules of a node as they are from boot to boot: what a cluster chooses anew each time is replaced by what it is.

type Services = {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string }
    readonly spec: { readonly clusterIP?: string }
  }[]
}

/**
 * `text` is the output of iptables-save, `services` that of `kubectl get services -A -o json`. Cluster IPs become
 * `CLUSTER-IP`, the node's range of pods `POD-CIDR`, pods `POD`, the API server's address `CONTROL-PLANE`. Chains of
 * endpoints are numbered per Service, by their place in its chain. Counters go, and what only kernels with nfacct have.
 * Chains are in the order of their names, the rules of KUBE-SERVICES and KUBE-NODEPORTS in that of their text, but for
 * the one that must be last.
 */
export function nodePicture(text: string, services: string): string {
  const named = nameEndpoints(text)
  const lines = nameAddresses(named, JSON.parse(services) as Services)
    .split('\n')
    .filter((line) => !/ -d 127\.0\.0\.0\/8 .* -m nfacct /.test(line))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, '').replace(/ -m nfacct --nfacct-name +\S+/, ''))
  return `${tablesOf(lines).map(renderTable).join('\n')}\n`
}

/**
 * The same of what `fairway proxy show` prints: `text` of a node. Who is remembered at the moment goes, and so does the
 * alignment, which depends on the addresses.
 */
export const showPicture = (text: string, services: string): string =>
  nameAddresses(text, JSON.parse(services) as Services)
    .replaceAll(/^ {2}clients that stay .*\n/gm, '')
    .replaceAll(/ {2,}(goto|drop)/g, '  $1')

/** KUBE-SEP-XXXXXXXXXXXXXXXX -> KUBE-SEP-(default/hostnames:default#1) */
function nameEndpoints(text: string): string {
  const counts = new Map<string, number>()
  const names = new Map<string, string>()
  for (const [, service, chain] of text.matchAll(/--comment "(\S+) -> \S+" .*-j (KUBE-SEP-\w+)/g)) {
    if (names.has(chain!)) continue
    const count = (counts.get(service!) ?? 0) + 1
    counts.set(service!, count)
    names.set(chain!, `KUBE-SEP-(${service}#${count})`)
  }
  return text.replaceAll(/KUBE-SEP-\w{16}/g, (chain) => names.get(chain) ?? chain)
}

function nameAddresses(text: string, services: Services): string {
  const chosen = new Set(services.items.flatMap(({ spec }) => spec.clusterIP ?? []))
  for (const fixed of ['10.96.0.1', '10.96.0.10']) chosen.delete(fixed)
  return text
    .replaceAll(/\b10\.244\.\d+\.0\/24/g, 'POD-CIDR')
    .replaceAll(/\b10\.168\.\d+\.250\b/g, 'CONTROL-PLANE')
    .replaceAll(/\b10\.244\.\d+\.(?!0\/)\d+\b/g, 'POD')
    .replaceAll(/\b10\.\d+\.\d+\.\d+\b/g, (ip) => (chosen.has(ip) ? 'CLUSTER-IP' : ip))
}

type Table = { readonly name: string; readonly chains: readonly string[]; readonly rules: readonly string[] }

const tablesOf = (lines: readonly string[]): readonly Table[] =>
  lines.flatMap((line, at) => {
    if (!line.startsWith('*')) return []
    const own = lines.slice(at + 1, lines.indexOf('COMMIT', at))
    return [{ name: line, chains: own.filter((l) => l.startsWith(':')), rules: own.filter((l) => l.startsWith('-A ')) }]
  })

function renderTable({ name, chains, rules }: Table): string {
  const of = Map.groupBy(rules, (rule) => rule.split(' ')[1]!)
  const sorted = [...of].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([chain, own]) => inOrder(chain, own))
  return [name, ...chains.toSorted(), ...sorted, 'COMMIT'].join('\n')
}

function inOrder(chain: string, rules: readonly string[]): readonly string[] {
  if (!/^KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES)$/.test(chain)) return rules
  const isLast = (rule: string) => rule.includes('this must be the last rule')
  return [...rules.filter((rule) => !isLast(rule)).toSorted(), ...rules.filter(isLast)]
}
