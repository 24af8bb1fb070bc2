// The text of a kubeconfig: which cluster and which user its current context means.

import { parse } from 'yaml'
import { UserError } from '#daemon/error.ts'

/** A PEM text, or the file that holds it (relative to the kubeconfig's folder). */
export type FileOrText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string }

export type ParsedKubeconfig = {
  readonly server: string
  readonly ca: FileOrText | undefined
  readonly cert: FileOrText | undefined
  readonly key: FileOrText | undefined
  readonly token: string | undefined
  readonly tokenFile: string | undefined
  readonly insecure: boolean
  readonly serverName: string | undefined
  readonly namespace: string | undefined
}

type Entry = Readonly<Record<string, unknown>>

/** Throws UserError that names `path` and what is wrong. `context` stands in for current-context. */
export function parseKubeconfig(text: string, path: string, context?: string): ParsedKubeconfig {
  const wrong = (what: string, remedy?: string) =>
    new UserError(`kubeconfig ${path}: ${what}`, { code: 'BadKubeconfig', remedy })
  const config = parseYaml(text, wrong)
  const contextName = context ?? config['current-context']
  if (typeof contextName !== 'string' || contextName === '')
    throw wrong('no current-context', 'choose one with: kubectl config use-context NAME')
  const chosen = named(config, 'contexts', 'context', contextName, wrong)
  const cluster = named(config, 'clusters', 'cluster', chosen['cluster'], wrong)
  const user = chosen['user'] === undefined ? {} : named(config, 'users', 'user', chosen['user'], wrong)
  const unsupported = ['exec', 'auth-provider', 'username'].find((key) => user[key] !== undefined)
  const asToken = 'give a kubeconfig with a token, for example of: kubectl create token SERVICEACCOUNT'
  if (unsupported !== undefined)
    throw wrong(`user ${String(chosen['user'])} logs in by ${unsupported}, which is not supported`, asToken)
  if (cluster['proxy-url'] !== undefined) throw wrong('proxy-url is not supported', 'reach the server directly')
  const server = cluster['server']
  if (typeof server !== 'string' || !/^https?:\/\//.test(server)) throw wrong('the cluster has no server URL')
  return {
    server: server.replace(/\/+$/, ''),
    ca: fileOrText(cluster, 'certificate-authority'),
    cert: fileOrText(user, 'client-certificate'),
    key: fileOrText(user, 'client-key'),
    token: string(user['token']),
    tokenFile: string(user['tokenFile']),
    insecure: cluster['insecure-skip-tls-verify'] === true,
    serverName: string(cluster['tls-server-name']),
    namespace: string(chosen['namespace']),
  }
}

/** The authority (PEM) of the first cluster in a kubeconfig that may have no users: cluster-info's. */
export function parseKubeconfigCa(text: string): string | undefined {
  try {
    const { clusters } = parse(text) as { clusters?: { cluster?: { 'certificate-authority-data'?: string } }[] }
    const data = clusters?.[0]?.cluster?.['certificate-authority-data']
    return data === undefined ? undefined : atob(data)
  } catch {
    return undefined
  }
}

function parseYaml(text: string, wrong: (what: string) => UserError): Entry {
  let config: unknown
  try {
    config = parse(text)
  } catch (error) {
    throw wrong(`not YAML: ${(error as Error).message.split('\n')[0]}`)
  }
  if (typeof config !== 'object' || config === null) throw wrong('not a kubeconfig')
  return config as Entry
}

function named(config: Entry, list: string, key: string, name: unknown, wrong: (what: string) => UserError): Entry {
  const entries = Array.isArray(config[list]) ? (config[list] as Entry[]) : []
  const found = entries.find((entry) => entry?.['name'] === name)?.[key]
  if (typeof found !== 'object' || found === null) throw wrong(`no ${key} "${String(name)}"`)
  return found as Entry
}

const string = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/** `NAME-data` is base64 of the text and wins over the file `NAME`, as in kubectl. */
function fileOrText(entry: Entry, name: string): FileOrText | undefined {
  const data = string(entry[`${name}-data`])
  if (data !== undefined) return { kind: 'text', text: atob(data) }
  const path = string(entry[name])
  return path === undefined ? undefined : { kind: 'file', path }
}
