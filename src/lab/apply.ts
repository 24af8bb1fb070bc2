// effect: requests to the API server
// Applies the objects of files as `kubectl apply` does: what the files say becomes so, what others added stays.
import type { ApiObject } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import { ApiError, type Client, isNotFound } from '#client/client.ts'
import { UserError } from '#daemon/error.ts'
import { nearest } from '#lib/nearest.ts'
import type { Manifest } from '#lab/manifest.ts'

export type Target = Manifest & {
  readonly resource: Resource<ApiObject>
  /** '' for what has none. */
  readonly namespace: string
}

const fieldManager = 'fairway-up'
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Finds out where each object lives. Throws a UserError that names file and line of every kind that is unknown. */
export async function locate(
  client: Client,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<readonly Target[]> {
  const versions = [...new Set(manifests.map(({ object }) => object.apiVersion))]
  const known = new Map(
    await Promise.all(versions.map(async (version) => [version, await resourcesOf(client, version, signal)] as const)),
  )
  const unknown: string[] = []
  const targets = manifests.flatMap(({ object, place }) => {
    const resources = known.get(object.apiVersion)!
    const resource = resources.find(({ kind }) => kind === object.kind)
    if (resource === undefined) {
      const near = nearest(
        object.kind,
        resources.map(({ kind }) => kind),
      )
      const hint = near === undefined ? '' : ` (did you mean ${near}?)`
      unknown.push(`${place}: this cluster knows no kind "${object.kind}" in apiVersion "${object.apiVersion}"${hint}`)
      return []
    }
    const namespace = resource.namespaced ? (object.metadata?.namespace ?? 'default') : ''
    return [{ object, place, resource, namespace }]
  })
  if (unknown.length > 0)
    throw new UserError(unknown.join('\n'), {
      code: 'UnknownKind',
      remedy: 'kubectl api-resources shows the kinds that there are',
    })
  return targets
}

/**
 * Applies them side by side: namespaces before all others, the same object twice in its order. Throws a UserError with
 * file, line and the server's own words for every object that it refuses.
 */
export async function applyAll(
  client: Client,
  targets: readonly Target[],
  options: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<readonly ApiObject[]> {
  const pending = new Map<string, Promise<Outcome>>()
  const begin = (target: Target): Promise<Outcome> => {
    const key = [target.resource.plural, target.namespace, target.object.metadata?.name].join('/')
    const before = pending.get(key) ?? Promise.resolve()
    const outcome = before.then(() => tryApplying(client, target, targets, options))
    pending.set(key, outcome)
    return outcome
  }
  const isFirst = ({ object }: Target) => object.kind === 'Namespace'
  const first = await Promise.all(targets.filter(isFirst).map(begin))
  const outcomes = [...first, ...(await Promise.all(targets.filter((target) => !isFirst(target)).map(begin)))]
  const refused = outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? outcome.why : []))
  if (refused.length > 0)
    throw new UserError(refused.join('\n'), {
      code: 'Refused',
      remedy: 'correct the file and run the command again',
    })
  return outcomes.flatMap((outcome) => (outcome.kind === 'applied' ? outcome.object : []))
}

type Outcome =
  | { readonly kind: 'applied'; readonly object: ApiObject }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown' }

async function tryApplying(
  client: Client,
  target: Target,
  targets: readonly Target[],
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Outcome> {
  try {
    return { kind: 'applied', object: await applyOne(client, target, dryRun, signal) }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // In a trial run, the namespace that the same files bring along is not there yet.
    if (dryRun && isNotFound(error) && bringsNamespace(targets, target.namespace)) return { kind: 'unknown' }
    return { kind: 'refused', why: `${target.place}: ${await inWordsOfValidation(client, target, error, signal)}` }
  }
}

const bringsNamespace = (targets: readonly Target[], name: string) =>
  targets.some(({ object }) => object.kind === 'Namespace' && object.metadata?.name === name)

function applyOne(client: Client, target: Target, dryRun: boolean, signal: AbortSignal): Promise<ApiObject> {
  const { object, resource, namespace } = target
  return client.patch(resource, object.metadata!.name!, rememberedBy(object, namespace), {
    type: 'apply',
    fieldManager,
    force: true,
    dryRun,
    signal,
    ...(namespace !== '' && { namespace }),
  })
}

/**
 * A list whose keys are not told apart cannot be merged, and is refused as that; what is wrong with the object itself
 * says a trial of creating it.
 */
async function inWordsOfValidation(
  client: Client,
  { object, resource, namespace }: Target,
  refusal: ApiError,
  signal: AbortSignal,
): Promise<string> {
  try {
    await client.create(resource, object, { dryRun: true, signal, ...(namespace !== '' && { namespace }) })
  } catch (error) {
    if (error instanceof ApiError && error.status.reason === 'Invalid') return error.message
  }
  return refusal.message
}

/** With the annotation by which `kubectl apply` tells, later, what was taken out of a file. */
function rememberedBy(object: ApiObject, namespace: string): ApiObject {
  const { [lastApplied]: _, ...annotations } = object.metadata?.annotations ?? {}
  const metadata = { ...object.metadata, annotations, ...(namespace !== '' && { namespace }) }
  const text = `${JSON.stringify({ ...object, metadata })}\n`
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [lastApplied]: text } } }
}

type Discovered = {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
}

async function resourcesOf(
  client: Client,
  apiVersion: string,
  signal: AbortSignal,
): Promise<readonly Resource<ApiObject>[]> {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/') as [string, string]) : ['', apiVersion]
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const { status, body } = await client.raw('GET', path, { signal })
  const parts: Buffer[] = []
  for await (const part of body) parts.push(part as Buffer)
  if (status === 404) return []
  const answer = JSON.parse(Buffer.concat(parts).toString()) as Discovered
  if (status !== 200) throw new Error(`${path} answered ${status}`)
  return answer.resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced }) => ({ group, version, plural: name, kind, namespaced }))
}
