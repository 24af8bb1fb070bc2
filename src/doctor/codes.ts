// Every code of a finding: what it is called, how bad it is, where in the order of a diagnosis it stands, and which others
// only follow from it. docs/findings/ has a page for each.

export type Severity = 'error' | 'warning'

/** The order in which one looks: the object, its name, who stands behind it, the rules, the network, a pod and itself, and a try. */
export const stages = [
  'object',
  'dns',
  'selector',
  'readiness',
  'endpoints',
  'listener',
  'node',
  'proxy',
  'network',
  'hairpin',
  'probe',
] as const
export type Stage = (typeof stages)[number]

type CodeFacts = {
  readonly title: string
  readonly severity: Severity
  readonly stage: Stage
  /** findings that are folded under this one where they are about the same Service or node */
  readonly explains?: readonly string[]
  /** only where both show one rule */
  readonly explainsBySameRule?: readonly string[]
}

export const codes = {
  ServiceMissing: { title: 'there is no such Service', severity: 'error', stage: 'object' },
  NoPodMatches: {
    title: 'the selector of a Service matches no pod',
    severity: 'error',
    stage: 'selector',
    explains: ['NoEndpoints', 'DnsUpstreamFails'],
  },
  PodsNotReady: {
    title: 'pods of a Service are not ready',
    severity: 'error',
    stage: 'readiness',
    explains: ['NoEndpoints', 'NoListener', 'DnsUpstreamFails'],
  },
  NoEndpoints: {
    title: 'a Service has no endpoints',
    severity: 'error',
    stage: 'endpoints',
    explains: ['DnsUpstreamFails'],
  },
  EndpointsBehind: {
    title: 'EndpointSlices do not say what the pods say',
    severity: 'error',
    stage: 'endpoints',
    explains: ['NoEndpoints'],
  },
  NoListener: {
    title: 'nobody listens at the target port',
    severity: 'error',
    stage: 'listener',
    explains: ['DnsUpstreamFails'],
  },
  NamedPortMissing: {
    title: 'no container declares the named target port',
    severity: 'error',
    stage: 'endpoints',
    explains: ['NoEndpoints', 'DnsUpstreamFails'],
  },
  ProtocolMismatch: {
    title: 'the Service has another protocol than the pods',
    severity: 'error',
    stage: 'listener',
    explains: ['NoListener'],
  },
  ProxyMissing: {
    title: 'a node has no rules for Services',
    severity: 'error',
    stage: 'proxy',
    explains: ['RulesMissing', 'EndpointMissing', 'JumpMissing', 'NoRefusal', 'ProxyDown'],
  },
  ProxyDown: {
    title: 'the proxy of a node does not run or does not keep up',
    severity: 'error',
    stage: 'proxy',
    explains: [
      'RulesMissing',
      'EndpointMissing',
      'StaleEndpoint',
      'StaleService',
      'StaleRefusal',
      'StaleFlow',
      'NoRefusal',
    ],
  },
  JumpMissing: {
    title: "nothing leads to the proxy's rules",
    severity: 'error',
    stage: 'proxy',
    explains: ['RulesMissing', 'NoRefusal'],
  },
  RulesMissing: { title: 'a node has no rule for an address of a Service', severity: 'error', stage: 'proxy' },
  EndpointMissing: { title: 'rules leave out an endpoint', severity: 'error', stage: 'proxy' },
  StaleEndpoint: {
    title: 'rules lead to an endpoint that is gone',
    severity: 'error',
    stage: 'proxy',
    explains: ['EndpointMissing'],
  },
  StaleRefusal: { title: 'rules refuse a Service that has endpoints', severity: 'error', stage: 'proxy' },
  StaleService: { title: 'rules for a Service that does not exist', severity: 'warning', stage: 'proxy' },
  ForeignRule: {
    title: "a rule that is not the proxy's decides about a Service",
    severity: 'error',
    stage: 'proxy',
    explains: ['StaleEndpoint', 'EndpointMissing', 'UnevenShares'],
  },
  UnevenShares: { title: 'endpoints do not get equal shares', severity: 'warning', stage: 'proxy' },
  NoRefusal: { title: 'clients of a Service without endpoints wait in vain', severity: 'warning', stage: 'proxy' },
  SourceLost: { title: "the client's address is lost where it should be kept", severity: 'warning', stage: 'proxy' },
  NotMasqueraded: {
    title: 'packets keep a source to which no answer comes back',
    severity: 'error',
    stage: 'proxy',
  },
  ForwardingOff: {
    title: 'a node does not forward packets',
    severity: 'error',
    stage: 'node',
    explains: ['RouteMissing', 'PathBroken', 'DnsUpstreamFails'],
  },
  ForwardDropped: {
    title: 'the policy of FORWARD drops packets of pods',
    severity: 'error',
    stage: 'network',
    explains: ['PathBroken', 'DnsUpstreamFails'],
  },
  FirewallDrops: {
    title: 'a rule of a firewall ends connections',
    severity: 'error',
    stage: 'network',
    explains: ['PathBroken'],
    explainsBySameRule: ['DnsUpstreamFails'],
  },
  ReversePathFilter: {
    title: 'a node refuses packets by their source',
    severity: 'error',
    stage: 'network',
    explains: ['PathBroken', 'DnsUpstreamFails'],
  },
  RouteMissing: {
    title: 'there is no route to pods of another node',
    severity: 'error',
    stage: 'network',
    explains: ['PathBroken', 'DnsUpstreamFails'],
  },
  PathBroken: {
    title: 'pods of two nodes do not reach each other',
    severity: 'error',
    stage: 'network',
    explains: ['DnsUpstreamFails'],
  },
  HairpinOff: { title: 'a pod does not reach itself through its Service', severity: 'error', stage: 'hairpin' },
  BridgePastRules: { title: 'answers on a bridge go past the rules', severity: 'error', stage: 'network' },
  InternalLocalNoPod: {
    title: 'internalTrafficPolicy is Local, and a node has no endpoint',
    severity: 'warning',
    stage: 'endpoints',
  },
  ExternalLocalNoPod: {
    title: 'externalTrafficPolicy is Local, and a node has no endpoint',
    severity: 'warning',
    stage: 'endpoints',
  },
  LoadBalancerPending: { title: 'a load balancer has no address', severity: 'error', stage: 'object' },
  SourceRangesUnfit: { title: 'loadBalancerSourceRanges do not fit', severity: 'warning', stage: 'object' },
  SourceRangesExclude: {
    title: "loadBalancerSourceRanges leave out the cluster's own",
    severity: 'warning',
    stage: 'object',
  },
  SourceRangesOpen: { title: 'loadBalancerSourceRanges keep nobody out', severity: 'error', stage: 'proxy' },
  NameLoop: { title: 'a Service is another name for itself', severity: 'error', stage: 'dns' },
  DnsDown: { title: 'no pod of the cluster DNS is ready', severity: 'error', stage: 'dns' },
  DnsLoop: {
    title: 'the cluster DNS forwards to itself',
    severity: 'error',
    stage: 'dns',
    explains: ['DnsDown', 'PodsNotReady'],
  },
  DnsUpstreamMissing: {
    title: 'the cluster DNS has nobody to ask about names outside',
    severity: 'error',
    stage: 'dns',
    explains: ['DnsDown', 'PodsNotReady'],
  },
  DnsUpstreamFails: { title: 'questions of the cluster DNS reach nobody', severity: 'error', stage: 'dns' },
  CorefileBroken: {
    title: 'the Corefile cannot be read',
    severity: 'error',
    stage: 'dns',
    explains: ['DnsDown', 'PodsNotReady'],
  },
  NodeDnsDown: {
    title: "a node's own DNS server does not answer",
    severity: 'error',
    stage: 'dns',
    explains: ['RulesMissing', 'ForeignRule'],
  },
  SearchExpansion: { title: 'a pod asks very often for one name', severity: 'warning', stage: 'dns' },
  NameRewritten: {
    title: 'the cluster DNS answers a name with something else',
    severity: 'error',
    stage: 'dns',
    explains: ['NameWrong'],
  },
  NameWrong: { title: 'the name of a Service leads to other addresses', severity: 'error', stage: 'dns' },
  AsksElsewhere: { title: 'a pod does not ask the cluster DNS', severity: 'warning', stage: 'dns' },
  PolicyDenies: { title: 'NetworkPolicies let nobody in', severity: 'warning', stage: 'network' },
  LeftoverRules: {
    title: 'rules of two proxies on one node',
    severity: 'error',
    stage: 'proxy',
    explains: ['StaleEndpoint', 'StaleRefusal', 'StaleService', 'TwoBackends', 'UnevenShares', 'EndpointMissing'],
  },
  TwoBackends: { title: 'rules for Services in both back ends of iptables', severity: 'warning', stage: 'proxy' },
  ToolVersion: { title: 'a version of iptables that misreads rules', severity: 'warning', stage: 'proxy' },
  ExternalIpIsNode: {
    title: "an external address is a node's own, under IPVS",
    severity: 'error',
    stage: 'proxy',
    explains: ['PathBroken', 'RouteMissing'],
  },
  ArpNotStrict: { title: 'every node answers ARP for virtual IPs', severity: 'warning', stage: 'network' },
  IpvsReuse: { title: 'IPVS holds on to real servers that are gone', severity: 'warning', stage: 'proxy' },
  NodePortTaken: { title: 'a process listens at a node port', severity: 'warning', stage: 'node' },
  NodePortInLocalRange: {
    title: 'a node port is one that connections of the node may take',
    severity: 'warning',
    stage: 'node',
  },
  NodePortAtLoopback: { title: 'a node port is asked at a loopback address', severity: 'warning', stage: 'proxy' },
  RangesOverlap: {
    title: 'two ranges of addresses overlap',
    severity: 'error',
    stage: 'network',
    explains: ['PathBroken'],
  },
  ConntrackFull: { title: 'the table of connections is full', severity: 'error', stage: 'node' },
  InsertRace: { title: 'connections are lost that begin at the same moment', severity: 'warning', stage: 'node' },
  InvalidNotDropped: { title: 'invalid packets go on untranslated', severity: 'warning', stage: 'node' },
  StaleFlow: { title: 'UDP connections to an endpoint that is gone', severity: 'error', stage: 'proxy' },
  MtuTooLarge: { title: 'packets do not fit into the tunnel', severity: 'error', stage: 'network' },
  ProbeFails: { title: 'real connections fail that should not', severity: 'error', stage: 'probe' },
  ProbeAnswers: { title: 'real connections work that should not', severity: 'warning', stage: 'probe' },
  VxlanChecksum: { title: 'wrong checksums in the tunnel', severity: 'warning', stage: 'network' },
} as const satisfies Readonly<Record<string, CodeFacts>>

export type Code = keyof typeof codes

export const factsOf = (code: Code): CodeFacts => codes[code]
export const isCode = (word: string): word is Code => Object.hasOwn(codes, word)
