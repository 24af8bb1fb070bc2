// One kubeconfig file taken into another, and out again, as `kubectl config` would do it: clusters, users and contexts are
// told apart by their names. What else the file says, its comments too, stays as it is.
import { isMap, isSeq, parseDocument, type Document, type YAMLMap, type YAMLSeq } from 'yaml'
import { UserError } from '#daemon/error.ts'

const lists = ['clusters', 'users', 'contexts'] as const
type Entry = { readonly name: string }
export type Kubeconfig = {
  readonly clusters: readonly Entry[]
  readonly users: readonly Entry[]
  readonly contexts: readonly Entry[]
}

/**
 * Of a cluster: everything it adds to a file bears one name, so that it is found again and collides with nothing.
 * `own` is the cluster's own kubeconfig.
 */
export function renameKubeconfig(own: string, name: string): Kubeconfig {
  const { clusters, users } = parseDocument(own).toJS() as Kubeconfig
  return {
    clusters: [{ ...clusters[0], name }],
    users: [{ ...users[0], name }],
    contexts: [{ name, context: { cluster: name, user: name } } as Entry],
  }
}

/** The text with those entries, in place of older ones of the same names, and with their context as the current one. */
export function mergeKubeconfig(text: string, added: Kubeconfig, file: string): string {
  const document = parse(text, file)
  for (const list of lists)
    for (const entry of added[list]) {
      removeNamed(document, list, entry.name)
      listOf(document, list).add(document.createNode(entry))
    }
  document.set('current-context', added.contexts[0]!.name)
  return document.toString({ lineWidth: 0 })
}

/** The text without what that name has; undefined where it has nothing. */
export function removeFromKubeconfig(text: string, name: string, file: string): string | undefined {
  const document = parse(text, file)
  const removed = lists.map((list) => removeNamed(document, list, name))
  if (!removed.includes(true)) return undefined
  if (document.get('current-context') === name) document.set('current-context', '')
  return document.toString({ lineWidth: 0 })
}

/** The server of the cluster that has this name in a file. */
export function serverNamed(text: string, name: string, file: string): string | undefined {
  const { clusters = [] } = (parse(text, file).toJS() ?? {}) as Partial<Kubeconfig>
  const found = clusters.find((cluster) => cluster.name === name) as { cluster?: { server?: string } } | undefined
  return found?.cluster?.server
}

function parse(text: string, file: string): Document<YAMLMap> {
  const document = parseDocument(text.trim() === '' ? 'apiVersion: v1\nkind: Config\n' : text)
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new UserError(`${file} is no kubeconfig file: ${document.errors[0]?.message ?? 'it holds no fields'}`, {
      code: 'BadKubeconfig',
      remedy: 'mend the file, or name another one',
    })
  return document as unknown as Document<YAMLMap>
}

function listOf(document: Document<YAMLMap>, list: string): YAMLSeq {
  const found = document.get(list)
  if (isSeq(found)) {
    // An empty list is written as [], and what is added to it would stand on that line.
    if (found.items.length === 0) found.flow = false
    return found
  }
  document.set(list, document.createNode([]))
  const made = document.get(list) as YAMLSeq
  made.flow = false
  return made
}

function removeNamed(document: Document<YAMLMap>, list: string, name: string): boolean {
  const found = document.get(list)
  if (!isSeq(found)) return false
  const before = found.items.length
  found.items = found.items.filter((item) => !(isMap(item) && item.get('name') === name))
  return found.items.length < before
}
