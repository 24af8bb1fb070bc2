// effect: a file of certificates
// `fairway controllers`: all controllers and the scheduler, for any API server.

import { readFileSync } from 'node:fs'
import { partCommand } from '#cli/part-command.ts'
import { readRequired } from '#cli/read-required.ts'
import { connect, connectMany } from '#client/client.ts'
import { type ClientConfig, loadKubeconfig } from '#client/kubeconfig.ts'
import { controllerFlags, type ControllerFlags } from '#controllers/flags.ts'
import { type ControllersOptions, run } from '#controllers/main.ts'
import { UserError } from '#daemon/error.ts'

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

/** What the flags mean to someone who reaches the server by this kubeconfig. */
export function controllersOptions(flags: ControllerFlags, kubeconfig: string | undefined): ControllersOptions {
  const config = loadKubeconfig(kubeconfig)
  return {
    ...flags,
    client: connect(config, { idleConnections: 16 }),
    ...(flags.schedulerKubeconfig !== undefined && {
      schedulerClient: connect(loadKubeconfig(flags.schedulerKubeconfig), { idleConnections: 8 }),
    }),
    ...(flags.useServiceAccountCredentials && { clientWith: connectMany(config) }),
    rootCa: rootCaOf(flags.rootCaFile, config),
    clusterSigning: signingOf(flags),
  }
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
