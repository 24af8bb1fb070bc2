// effect: files, environment
// Where the API server is and who we are to it: a kubeconfig file, or the service account of a pod.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import type { FileOrText, parseKubeconfig } from '#client/parse-kubeconfig.ts'
import { UserError } from '#daemon/error.ts'

export type Identity = { readonly cert: string | undefined; readonly key: string | undefined }

/** How to reach an API server. Certificates and keys are PEM texts. */
export type ClientConfig = {
  /** `https://HOST:PORT[/PREFIX]` */
  readonly server: string
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Certificate and key anew where their files have changed since this was asked last. */
  readonly renew?: (() => Identity | undefined) | undefined
  readonly token?: string | undefined
  /** read again from time to time, as kubelets rotate projected tokens */
  readonly tokenFile?: string | undefined
  readonly insecure?: boolean | undefined
  /** the name to expect in the server's certificate, where it is not the host of `server` */
  readonly serverName?: string | undefined
  /** the namespace of the context */
  readonly namespace?: string | undefined
  /** makes connections in place of TCP and TLS, to a server in this very process */
  readonly dial?: (() => Duplex) | undefined
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Reads the given file; without one $KUBECONFIG, ~/.kube/config, or the pod's service account, whichever is there
 * first. Throws UserError that names the file and what is wrong with it.
 */
export function loadKubeconfig(
  from?: string | { readonly inCluster: true },
  options: { readonly context?: string } = {},
): ClientConfig {
  if (typeof from === 'object') return inCluster()
  const path = from || defaultPath()
  return path === undefined ? inCluster() : fromFile(path, options.context)
}

function defaultPath(): string | undefined {
  // Of a list of files the first that exists counts; they are not merged.
  const named = (process.env['KUBECONFIG'] ?? '').split(':').filter(Boolean)
  if (named.length > 0) return named.find((path) => existsSync(path)) ?? named[0]
  const usual = join(homedir(), '.kube', 'config')
  return existsSync(usual) ? usual : undefined
}

function fromFile(path: string, context: string | undefined): ClientConfig {
  const { config, files } = readConfig(path, context)
  if (config.cert === undefined) return config
  let stamp = stampOf(files)
  const renew = () => {
    const now = stampOf(files)
    if (now === stamp) return undefined
    stamp = now
    const { cert, key } = readConfig(path, context).config
    return { cert, key }
  }
  return { ...config, renew }
}

/** Changes when one of the files does. */
const stampOf = (files: readonly string[]): string =>
  files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).join(' ')

/** Only where there is a file: in a pod there is none, and a parser of YAML takes 3 MB of memory. */
function loadParser(): typeof parseKubeconfig {
  const module = createRequire(import.meta.url)('#client/parse-kubeconfig.ts') as {
    parseKubeconfig: typeof parseKubeconfig
  }
  return module.parseKubeconfig
}

/** `files`: those that say who we are. */
function readConfig(
  path: string,
  context: string | undefined,
): { readonly config: ClientConfig; readonly files: readonly string[] } {
  const parsed = loadParser()(readText(path, 'kubeconfig'), path, context)
  const folder = dirname(resolve(path))
  const files = [path]
  const load = (source: FileOrText | undefined, what: string) => {
    if (source?.kind !== 'file') return source?.text
    files.push(resolve(folder, source.path))
    return readText(resolve(folder, source.path), `${what} of ${path}`)
  }
  const config = {
    server: parsed.server,
    ca: load(parsed.ca, 'certificate authority'),
    cert: load(parsed.cert, 'client certificate'),
    key: load(parsed.key, 'client key'),
    token: parsed.token,
    tokenFile: parsed.tokenFile === undefined ? undefined : resolve(folder, parsed.tokenFile),
    insecure: parsed.insecure,
    serverName: parsed.serverName,
    namespace: parsed.namespace,
  }
  return { config, files }
}

function inCluster(): ClientConfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (!host || !existsSync(`${serviceAccount}/token`))
    throw new UserError('no kubeconfig: no file was given, $KUBECONFIG is not set, and this is not a pod', {
      code: 'NoKubeconfig',
      remedy: 'give --kubeconfig FILE',
    })
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readText(`${serviceAccount}/ca.crt`, 'certificate authority'),
    tokenFile: `${serviceAccount}/token`,
    namespace: readText(`${serviceAccount}/namespace`, 'namespace').trim(),
  }
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'not allowed to read it' : String(code)
    throw new UserError(`cannot read the ${what}: ${path}: ${why}`, { code: 'BadKubeconfig', cause })
  }
}
