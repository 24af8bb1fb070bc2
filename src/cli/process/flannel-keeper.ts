// Who keeps the leases of `fairway flannel`, and what the network looks like: Kubernetes and net-conf.json, or etcd for both.
import { readFileSync } from 'node:fs'
import { pods } from '#api/core.ts'
import { connect } from '#client/client.ts'
import { loadKubeconfig } from '#client/kubeconfig.ts'
import { messageOf, UserError } from '#daemon/error.ts'
import { list, number, text, toggle, type OptionsOf } from '#daemon/flags.ts'
import type { PartContext } from '#daemon/part.ts'
import { EtcdClient } from '#etcd/client.ts'
import { parsePools, type Pools } from '#flannel/allocation.ts'
import { configKey, defaultEtcdPrefix } from '#flannel/etcd-records.ts'
import type { Subnets } from '#flannel/lease.ts'
import { parseNetworkConfig, type NetworkConfig } from '#flannel/network-config.ts'
import type { Keeper } from '#flannel/options.ts'
import { parseSubnets } from '#flannel/subnet-file.ts'

export const keeperFlags = {
  kubeSubnetMgr: toggle({
    help: 'leases in Kubernetes: so it is where no --etcd-endpoints are given',
    env: 'FLANNELD_KUBE_SUBNET_MGR',
  }),
  kubeApiUrl: text({
    help: 'API server, instead of what the kubeconfig says',
    placeholder: 'URL',
    env: 'FLANNELD_KUBE_API_URL',
  }),
  kubeconfigFile: text({ help: 'another name of --kubeconfig', placeholder: 'FILE', env: 'FLANNELD_KUBECONFIG_FILE' }),
  etcdEndpoints: list({
    help: 'leases and network configuration in etcd v3',
    placeholder: 'URL',
    env: 'FLANNELD_ETCD_ENDPOINTS',
  }),
  etcdPrefix: text({ help: 'of their keys', default: defaultEtcdPrefix, env: 'FLANNELD_ETCD_PREFIX' }),
  etcdCafile: text({ help: "authority of etcd's certificates", placeholder: 'FILE', env: 'FLANNELD_ETCD_CAFILE' }),
  etcdCertfile: text({ help: 'certificate shown to etcd', placeholder: 'FILE', env: 'FLANNELD_ETCD_CERTFILE' }),
  etcdKeyfile: text({ help: 'its key', placeholder: 'FILE', env: 'FLANNELD_ETCD_KEYFILE' }),
  etcdUsername: text({
    help: 'user of an etcd with authentication on',
    placeholder: 'NAME',
    env: 'FLANNELD_ETCD_USERNAME',
  }),
  etcdPassword: text({
    help: 'its password; everyone on the machine sees a command line, so say it in the environment',
    placeholder: 'PASSWORD',
    env: 'FLANNELD_ETCD_PASSWORD',
  }),
  subnetLeaseRenewMargin: number({
    help: 'minutes before its end at which a lease in etcd is renewed',
    default: 60,
    min: 1,
    max: 1439,
    env: 'FLANNELD_SUBNET_LEASE_RENEW_MARGIN',
  }),
}
type KeeperFlags = OptionsOf<typeof keeperFlags> & {
  readonly kubeconfig: string | undefined
  readonly subnetFile: string
}

export const isInEtcd = ({ etcdEndpoints, kubeSubnetMgr }: KeeperFlags): boolean => {
  if (etcdEndpoints.length > 0 && kubeSubnetMgr)
    throw new UserError('--kube-subnet-mgr and --etcd-endpoints exclude each other', { code: 'BadFlag', exitCode: 2 })
  return etcdEndpoints.length > 0
}

export function kubernetesKeeper({ kubeconfig, kubeconfigFile, kubeApiUrl }: KeeperFlags): Keeper {
  const config = loadKubeconfig(kubeconfig ?? kubeconfigFile)
  return { kind: 'kubernetes', client: connect(kubeApiUrl === undefined ? config : { ...config, server: kubeApiUrl }) }
}

/** As a DaemonSet of flannel's says it; waits for the API server. */
export async function nodeOfPod(
  { podName, podNamespace }: PodFlags,
  keeper: Keeper,
  { clock, log, signal }: PartContext,
): Promise<string | undefined> {
  if (podName === undefined || podNamespace === undefined || keeper.kind !== 'kubernetes') return undefined
  for (let waiting = ''; ;) {
    try {
      const { spec } = await keeper.client.get(pods, podName, { namespace: podNamespace, signal })
      return spec?.nodeName
    } catch (error) {
      signal.throwIfAborted()
      const now = messageOf(error)
      if (now !== waiting)
        log.warn(`Waiting for the pod ${podNamespace}/${podName}, which says what node this is: ${now}`)
      waiting = now
    }
    await clock.sleep(1000, signal)
  }
}
type PodFlags = { readonly podName: string | undefined; readonly podNamespace: string | undefined }

/** Waits until etcd has a configuration. Throws a UserError where that is none. */
export async function etcdKeeper(
  options: KeeperFlags,
  { clock, log, signal }: PartContext,
): Promise<{ readonly keeper: Keeper; readonly config: NetworkConfig }> {
  const { etcdEndpoints: servers, etcdPrefix: prefix, etcdCafile, etcdCertfile, etcdKeyfile } = options
  const tls = { ca: read(etcdCafile), cert: read(etcdCertfile), key: read(etcdKeyfile) }
  const user = userOf(options)
  const client = new EtcdClient({ servers, tls, ...(user !== undefined && { user }) })
  const key = configKey(prefix)
  for (let waiting = ''; ;) {
    const found = await client.range({ key }).catch((error: unknown) => messageOf(error))
    const item = typeof found === 'string' ? undefined : found.items[0]
    if (item !== undefined) {
      const { config, pools } = parseConfig(key, new TextDecoder().decode(item.value))
      return { config, keeper: keeperOf(options, client, pools) }
    }
    const now = typeof found === 'string' ? found : `etcd has no ${key} yet`
    if (now !== waiting) log.warn(`Waiting for the network configuration: ${now}`)
    waiting = now
    await clock.sleep(1000, signal)
    signal.throwIfAborted()
  }
}

function userOf({ etcdUsername: name, etcdPassword: password }: KeeperFlags) {
  if (name === undefined && password === undefined) return undefined
  if (name === undefined || password === undefined)
    throw new UserError('--etcd-username and --etcd-password belong together', { code: 'BadFlag', exitCode: 2 })
  return { name, password }
}

function parseConfig(key: string, content: string): { readonly config: NetworkConfig; readonly pools: Pools } {
  const config = parseNetworkConfig(content)
  const pools = typeof config === 'string' ? config : parsePools(content, config)
  if (typeof config === 'string' || typeof pools === 'string')
    throw new UserError(`etcd's ${key}: ${typeof config === 'string' ? config : String(pools)}`, {
      code: 'BadNetworkConfig',
    })
  return { config, pools }
}

const keeperOf = (
  { etcdPrefix: prefix, subnetFile, subnetLeaseRenewMargin }: KeeperFlags,
  client: EtcdClient,
  pools: Pools,
): Keeper => ({
  kind: 'etcd',
  client,
  prefix,
  pools,
  previous: previousSubnets(subnetFile),
  renewMarginMs: subnetLeaseRenewMargin * 60_000,
})

function previousSubnets(subnetFile: string): Subnets | undefined {
  try {
    return parseSubnets(readFileSync(subnetFile, 'utf8'))
  } catch {
    return undefined
  }
}

function read(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { code: 'NoFile', cause })
  }
}
