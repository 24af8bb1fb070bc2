// effect: files of keys and certificates
// `fairway apiserver`: an API server alone, with flags named as kube-apiserver's. Without any certificates it makes its
// own and writes a kubeconfig.

import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { systemClock } from '#daemon/clock.ts'
import { defineCommand, takesNone } from '#daemon/command.ts'
import { UserError } from '#daemon/error.ts'
import { list, number, text, type OptionsOf } from '#daemon/flags.ts'
import { createLogger } from '#daemon/log.ts'
import { createRegistry } from '#daemon/metrics.ts'
import { endInTime, logFlags } from '#cli/part-command.ts'
import { hostAt, parseCidr } from '#lib/cidr.ts'
import { isValidIp } from '#lib/ip.ts'
import { readRequired } from '#cli/read-required.ts'
import { etcdFlags, storeOptions } from '#cli/store-flags.ts'
import { run, type ApiserverOptions } from '#apiserver/main.ts'
import { ownFiles, type OwnFiles } from '#apiserver/own-files.ts'
import { parsePortBounds } from '#apiserver/allocate/port-range.ts'

export const apiserverFlags = {
  securePort: number({ help: 'port to serve HTTPS on; 0 takes a free one', default: 6443, min: 0, max: 65535 }),
  bindAddress: text({ help: 'address to listen on', default: '0.0.0.0', placeholder: 'IP' }),
  advertiseAddress: text({
    help: "address at which the cluster reaches this server; default: the bind address, or this machine's first",
    placeholder: 'IP',
  }),
  dataFile: text({ help: 'file of the store', default: 'fairway-apiserver/store.db', placeholder: 'FILE' }),
  ...etcdFlags,
  certDir: text({
    help: 'folder for what is made where no certificates are given; default: beside the store',
    placeholder: 'DIR',
  }),
  serviceClusterIpRange: list({
    help: 'CIDR of the addresses of Services; two with a comma for both families',
    default: ['10.96.0.0/12'],
    placeholder: 'CIDR',
  }),
  serviceNodePortRange: text({ help: 'ports for NodePorts', default: '30000-32767', placeholder: 'RANGE' }),
  tlsCertFile: text({ help: "the server's certificate", placeholder: 'FILE' }),
  tlsPrivateKeyFile: text({ help: "the server's key", placeholder: 'FILE' }),
  clientCaFile: text({ help: 'authority of client certificates', placeholder: 'FILE' }),
  kubeletClientCertificate: text({ help: "certificate shown to nodes' agents", placeholder: 'FILE' }),
  kubeletClientKey: text({ help: 'its key', placeholder: 'FILE' }),
  kubeletCertificateAuthority: text({ help: "authority of agents' certificates", placeholder: 'FILE' }),
  serviceAccountKeyFile: list({ help: 'keys that verify service-account tokens', placeholder: 'FILE' }),
  serviceAccountSigningKeyFile: text({ help: 'key that signs service-account tokens', placeholder: 'FILE' }),
  serviceAccountIssuer: text({
    help: 'issuer of service-account tokens',
    default: 'https://kubernetes.default.svc.cluster.local',
    placeholder: 'URL',
  }),
  ...logFlags,
}

export const command = defineCommand({
  name: 'apiserver',
  summary: 'a Kubernetes API server',
  usage: '[flags]',
  description: 'Started without certificates it makes its own, and writes a kubeconfig for the administrator.',
  examples: [
    'fairway apiserver --bind-address 127.0.0.1 --data-file /tmp/try/store.db',
    'kubectl --kubeconfig /tmp/try/kubeconfig get services',
  ],
  flags: apiserverFlags,
  async run(options, rest, { signal, stderr }) {
    takesNone('apiserver', rest)
    const { server, own } = serverOptions(options)
    const { logFormat: format, v: level } = options
    const log = createLogger({ format, level, write: (line) => void stderr.write(line) })
    const context = { signal, log, clock: systemClock, registry: createRegistry() }
    const onReady = ({ port }: { readonly port: number }) => {
      if (own === undefined) return
      const kubeconfig = own.writeKubeconfig(localUrl(options.bindAddress, port))
      stderr.write(`fairway: ready on port ${port}: export KUBECONFIG=${kubeconfig}\n`)
    }
    return endInTime(run({ ...server, onReady }, context), context)
  },
})

/** How programs on this machine reach the server. */
export const localUrl = (bindAddress: string, port: number) => `https://${inUrl(localAddress(bindAddress))}:${port}`

/** What the flags mean, with the certificates that the server makes for itself where none are given. */
export function serverOptions(options: OptionsOf<typeof apiserverFlags>): {
  server: ApiserverOptions
  own: OwnFiles | undefined
} {
  const { bindAddress, securePort, serviceClusterIpRange, serviceNodePortRange } = options
  checkRanges(serviceClusterIpRange, serviceNodePortRange)
  const advertiseAddress = options.advertiseAddress ?? reachable(bindAddress)
  const given = options.tlsCertFile !== undefined
  const own = given ? undefined : makeOwn(options, advertiseAddress)
  const tokenKey = own?.tokenKey ?? read(options.serviceAccountSigningKeyFile)
  const keys = [...options.serviceAccountKeyFile.map((path) => readRequired(path)), ...(tokenKey ? [tokenKey] : [])]
  return {
    own,
    server: {
      bindAddress,
      securePort,
      advertiseAddress,
      serviceClusterIpRanges: serviceClusterIpRange,
      serviceNodePortRange,
      store: storeOptions(options),
      tls: {
        cert: own?.server.cert ?? readRequired(options.tlsCertFile!),
        key: own?.server.key ?? readKey(options.tlsPrivateKeyFile),
        clientCa: own?.ca ?? read(options.clientCaFile),
      },
      agentTrust: {
        cert: own?.agentClient.cert ?? read(options.kubeletClientCertificate),
        key: own?.agentClient.key ?? read(options.kubeletClientKey),
        ca: read(options.kubeletCertificateAuthority),
      },
      tokens: { keys, signingKey: tokenKey, issuer: options.serviceAccountIssuer },
    },
  }
}

function makeOwn(options: OptionsOf<typeof apiserverFlags>, advertiseAddress: string) {
  const { bindAddress, serviceClusterIpRange } = options
  const serviceIp = hostAt(parseCidr(serviceClusterIpRange[0]!)!, 1)
  return ownFiles({
    folder: options.certDir ?? dirname(options.dataFile),
    ips: [...new Set(['127.0.0.1', '::1', advertiseAddress, localAddress(bindAddress), serviceIp])],
    dnsNames: [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
    ],
  })
}

/** How programs on this machine reach a bind address. */
const localAddress = (bind: string) => (bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind)
const inUrl = (address: string) => (address.includes(':') ? `[${address}]` : address)

function checkRanges(cidrs: readonly string[], ports: string): void {
  const wrong = cidrs.find((cidr) => parseCidr(cidr) === undefined)
  if (cidrs.length === 0 || cidrs.length > 2 || wrong !== undefined)
    throw new UserError(`--service-cluster-ip-range: one or two CIDRs, not "${cidrs.join(',')}"`, {
      code: 'BadFlag',
      exitCode: 2,
      remedy: 'for example --service-cluster-ip-range 10.96.0.0/12',
    })
  if (parsePortBounds(ports) === undefined)
    throw new UserError(`--service-node-port-range: not a range of ports: "${ports}"`, {
      code: 'BadFlag',
      exitCode: 2,
      remedy: 'for example --service-node-port-range 30000-32767',
    })
}

/** The bind address, or the first address of this machine that others reach. */
function reachable(bindAddress: string): string {
  if (bindAddress !== '0.0.0.0' && bindAddress !== '::') return bindAddress
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const first = all.find(({ internal, family, address }) => !internal && family === 'IPv4' && isValidIp(address))
  return first?.address ?? '127.0.0.1'
}

const read = (path: string | undefined) => (path === undefined ? undefined : readRequired(path))

function readKey(path: string | undefined): string {
  if (path !== undefined) return readRequired(path)
  throw new UserError('--tls-private-key-file is missing: it belongs to --tls-cert-file', {
    code: 'MissingFlag',
    exitCode: 2,
  })
}
