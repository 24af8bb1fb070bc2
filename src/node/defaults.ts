// What the agent does where it is told nothing: kubelet's defaults.

export const agentDefaults = {
  registerNode: true,
  imageDir: undefined,
  runDir: '/run/fairway-node',
  api: { host: '0.0.0.0', port: 10250 },
  healthz: { host: '127.0.0.1', port: 10248 },
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  resolvConf: '/etc/resolv.conf',
  hairpinMode: 'hairpin-veth',
} as const
