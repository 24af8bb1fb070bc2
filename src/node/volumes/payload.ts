// The files of a volume that comes from API objects: ConfigMap, Secret, downward API and projected volumes. A payload is
// a map from relative path to content and mode; how it gets onto disk in one step is the business of atomic-writer.ts.

import type { ConfigMap, Container, Pod, Secret, Volume } from '#api/core.ts'
import { fieldValue, type PodFacts } from '#node/pod/downward.ts'
import type { Lookup } from '#node/pod/env.ts'
import { resourceValue, type Allocatable } from '#node/pod/resource-field.ts'

export type PayloadFile = { readonly data: Uint8Array; readonly mode: number }
export type Payload = ReadonlyMap<string, PayloadFile>

export type PayloadInput = {
  readonly pod: Pod
  readonly facts: PodFacts
  readonly allocatable: Allocatable
  readonly lookup: Lookup
  /** tokens of the pod's service account by audience, as the API server issued them */
  readonly token: (audience: string) => string | undefined
}

/** The files, or the text of why they cannot be had. */
export type PayloadResult =
  | { readonly kind: 'payload'; readonly payload: Payload }
  | { readonly kind: 'missing'; readonly message: string }

class Missing extends Error {}

type Items = readonly { readonly key: string; readonly path: string; readonly mode?: number }[] | undefined
type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number]

/** undefined: the volume is not made of API objects. */
export function planPayload(volume: Volume, input: PayloadInput): PayloadResult | undefined {
  try {
    const files = filesOf(volume, input)
    return files && { kind: 'payload', payload: files }
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', message: error.message }
    throw error
  }
}

const defaultMode = 0o644

function filesOf(volume: Volume, input: PayloadInput): Payload | undefined {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) {
    const { name = '', items, optional } = configMap
    return configMapFiles(input, name, items, optional, configMap.defaultMode ?? defaultMode)
  }
  if (secret) {
    const { secretName = '', items, optional } = secret
    return secretFiles(input, secretName, items, optional, secret.defaultMode ?? defaultMode)
  }
  if (downwardAPI) return downwardFiles(input, downwardAPI.items ?? [], downwardAPI.defaultMode ?? defaultMode)
  if (!projected) return undefined
  const mode = projected.defaultMode ?? defaultMode
  return new Map((projected.sources ?? []).flatMap((source) => [...projectionFiles(input, source, mode)]))
}

function projectionFiles(input: PayloadInput, source: Projection, mode: number): Payload {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source
  if (configMap) return configMapFiles(input, configMap.name ?? '', configMap.items, configMap.optional, mode)
  if (secret) return secretFiles(input, secret.name ?? '', secret.items, secret.optional, mode)
  if (downwardAPI) return downwardFiles(input, downwardAPI.items ?? [], mode)
  if (!serviceAccountToken) return new Map()
  const token = input.token(serviceAccountToken.audience ?? '')
  if (token === undefined)
    throw new Missing(`failed to fetch token of service account "${input.pod.spec?.serviceAccountName ?? 'default'}"`)
  // Where the pod has a group for its files, only that may read it, else whoever may read the volume.
  const hasGroup = input.pod.spec?.securityContext?.fsGroup !== undefined
  return new Map([[serviceAccountToken.path, { data: encode(token), mode: hasGroup ? 0o600 : mode }]])
}

const encode = (text: string) => new TextEncoder().encode(text)

function configMapFiles(input: PayloadInput, name: string, items: Items, optional = false, mode: number): Payload {
  const found = input.lookup.configMap(name)
  if (!found && !optional) throw new Missing(`configmap "${name}" not found`)
  return pick(configMapData(found), items, optional, mode, 'configmap')
}

function configMapData(found: ConfigMap | undefined): Map<string, Uint8Array> {
  const texts = Object.entries(found?.data ?? {}).map(([key, text]): [string, Uint8Array] => [key, encode(text)])
  return new Map([...texts, ...bytesOf(found?.binaryData)])
}

const bytesOf = (data: Secret['data'] = {}) =>
  Object.entries(data).map(([key, base64]): [string, Uint8Array] => [key, Uint8Array.fromBase64(base64)])

function secretFiles(input: PayloadInput, name: string, items: Items, optional = false, mode: number): Payload {
  const found = input.lookup.secret(name)
  if (!found && !optional) throw new Missing(`secret "${name}" not found`)
  return pick(new Map(bytesOf(found?.data)), items, optional, mode, 'secret')
}

/** All keys, or those that are named, under their own paths and modes. */
function pick(
  data: ReadonlyMap<string, Uint8Array>,
  items: Items,
  optional: boolean,
  mode: number,
  what: string,
): Payload {
  if (!items?.length) return new Map([...data].map(([key, bytes]) => [key, { data: bytes, mode }]))
  return new Map(
    items.flatMap((item): [string, PayloadFile][] => {
      const bytes = data.get(item.key)
      if (bytes) return [[item.path, { data: bytes, mode: item.mode ?? mode }]]
      if (optional) return []
      throw new Missing(`${what} references non-existent ${what === 'secret' ? 'secret' : 'config'} key: ${item.key}`)
    }),
  )
}

type DownwardItem = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number]

function downwardFiles(input: PayloadInput, items: readonly DownwardItem[], defaultMode: number): Payload {
  return new Map(
    items.map(({ path, fieldRef, resourceFieldRef, mode = defaultMode }) => {
      const text = fieldRef
        ? fieldValue(fieldRef.fieldPath, input.pod, input.facts)
        : resourceFieldRef && ofContainer(input, resourceFieldRef)
      if (text === undefined) throw new Missing(`unsupported downward API item for path ${path}`)
      return [path, { data: encode(text), mode }]
    }),
  )
}

function ofContainer(input: PayloadInput, reference: NonNullable<DownwardItem['resourceFieldRef']>): string {
  const { containers = [], initContainers = [] } = input.pod.spec ?? { containers: [] }
  const container = [...containers, ...initContainers].find(
    (one: Container) => one.name === (reference.containerName ?? ''),
  )
  if (!container) throw new Missing(`container ${reference.containerName ?? ''} not found`)
  const found = resourceValue(reference, input.pod, container, input.allocatable)
  if (found.kind === 'none') throw new Missing(found.message)
  return found.value
}
