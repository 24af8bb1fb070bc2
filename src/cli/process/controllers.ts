// effect: a file of certificates
// `fairway controllers`: all controllers and the scheduler, for any API server.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { userOfSubject } from '#apiserver/http/authenticate.ts'
import type { Dial } from '#apiserver/http/inner-door.ts'
import { partCommand } from '#cli/part-command.ts'
import { readRequired } from '#cli/read-required.ts'
import { type Client, connect, connectMany } from '#client/client.ts'
import { type ClientConfig, loadKubeconfig } from '#client/kubeconfig.ts'
import { accountToken } from '#controllers/accounts.ts'
import { controllerFlags, type ControllerFlags } from '#controllers/flags.ts'
import { type ControllersOptions, run } from '#controllers/main.ts'
import { systemClock } from '#daemon/clock.ts'
import { UserError } from '#daemon/error.ts'
import { accountUser } from '#pki/service-account-token.ts'

export const controllers = partCommand({
  name: 'controllers',
  summary: 'deployments, endpoints, nodes, the scheduler: everything that keeps objects true',
  description:
    'Does what kube-controller-manager and kube-scheduler do for Deployments, ReplicaSets, EndpointSlices, Endpoints, nodes\n' +
    'and their pod addresses, namespaces, service accounts and garbage collection.',
  examples: [
    'fairway controllers --kubeconfig ./controllers.kubeconfig',
    'fairway controllers --controllers "*,-scheduler"          # all but one',
    'fairway controllers --controllers endpointslice-controller # only one',
  ],
  flags: controllerFlags,
  run(options, context) {
    return run(controllersOptions(options, options.kubeconfig), context)
  },
})

/** What the flags mean to someone who reaches the server by this kubeconfig, or by `dial` from within its process. */
export function controllersOptions(
  flags: ControllerFlags,
  kubeconfig: string | undefined,
  dial?: Dial,
): ControllersOptions {
  const config = reach(kubeconfig, dial)
  const client = connect(config, { idleConnections: 16 })
  return {
    ...flags,
    client,
    ...(flags.schedulerKubeconfig !== undefined && {
      schedulerClient: connect(reach(flags.schedulerKubeconfig, dial), { idleConnections: 8 }),
    }),
    ...(flags.useServiceAccountCredentials && { clientAs: accountClients(config, client, dial) }),
    rootCa: rootCaOf(flags.rootCaFile, config),
    clusterSigning: signingOf(flags),
  }
}

/** From within nobody shows a certificate; it says who speaks all the same. */
function reach(kubeconfig: string | undefined, dial: Dial | undefined): ClientConfig {
  const config = loadKubeconfig(kubeconfig)
  const user = config.cert && userOfSubject(new X509Certificate(config.cert).toLegacyObject().subject)
  return dial && user ? { ...config, dial: () => dial(user) } : config
}

/** From outside each account shows a token, from within the server knows whom it talks to. */
function accountClients(config: ClientConfig, client: Client, dial: Dial | undefined): (account: string) => Client {
  if (dial) return (account) => connect({ ...config, dial: () => dial(accountUser('kube-system', account)) })
  const clientWith = connectMany(config)
  return (account) => clientWith(accountToken(client, account, systemClock))
}

function signingOf({ clusterSigningCertFile: cert, clusterSigningKeyFile: key }: ControllerFlags) {
  if (cert === undefined && key === undefined) return undefined
  if (cert !== undefined && key !== undefined) return { cert: readRequired(cert), key: readRequired(key) }
  throw new UserError('--cluster-signing-cert-file and --cluster-signing-key-file belong together', {
    code: 'MissingFlag',
    exitCode: 2,
  })
}

/** The certificates that pods check the server by: those of the file, else those that we check it by ourselves. */
export function rootCaOf(path: string | undefined, config: ClientConfig): string | undefined {
  if (path === undefined) return config.ca
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`--root-ca-file: cannot read ${path}: ${(error as Error).message}`, {
      code: 'NoFile',
      cause: error,
    })
  }
}
