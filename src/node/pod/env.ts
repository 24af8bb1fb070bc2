// The environment of a container, as kubelet composes it: envFrom in its order, then env (which overrides it, and whose
// values may refer to what stands before), then the Services' variables that nothing of it replaced.

import type { ConfigMap, Container, EnvVar, Pod, Secret } from '#api/core.ts'
import { fieldValue, type PodFacts } from '#node/pod/downward.ts'
import { expand } from '#node/pod/expand.ts'
import { resourceValue, type Allocatable } from '#node/pod/resource-field.ts'

/** Finds an object of the pod's namespace; undefined where there is none. */
export type Lookup = {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
}

export type EnvironmentInput = {
  readonly pod: Pod
  readonly container: Container
  readonly services: ReadonlyMap<string, string>
  readonly facts: PodFacts
  readonly allocatable: Allocatable
  readonly lookup: Lookup
}

/** The variables in their order, or the text of why the container cannot be configured. */
export type Environment =
  | { readonly kind: 'env'; readonly variables: ReadonlyMap<string, string> }
  | { readonly kind: 'missing'; readonly message: string }

/** What stands in the way: thrown and caught within this file. */
class Missing extends Error {}

export function planEnvironment(input: EnvironmentInput): Environment {
  const variables = new Map<string, string>()
  try {
    for (const source of input.container.envFrom ?? []) addAll(variables, source, input)
    for (const variable of input.container.env ?? []) {
      const value = valueOf(variable, variables, input)
      if (value !== undefined) variables.set(variable.name, value)
    }
  } catch (error) {
    if (error instanceof Missing) return { kind: 'missing', message: error.message }
    throw error
  }
  for (const [name, value] of input.services) if (!variables.has(name)) variables.set(name, value)
  return { kind: 'env', variables }
}

type Source = NonNullable<Container['envFrom']>[number]

function addAll(variables: Map<string, string>, source: Source, input: EnvironmentInput): void {
  const { configMapRef, secretRef, prefix = '' } = source
  const data = configMapRef
    ? configMapData(input, configMapRef.name ?? '', configMapRef.optional)
    : secretRef
      ? secretData(input, secretRef.name ?? '', secretRef.optional)
      : {}
  for (const [key, value] of Object.entries(data)) variables.set(prefix + key, value)
}

/** undefined: the variable is left out (an optional source that is missing). */
function valueOf(variable: EnvVar, before: Map<string, string>, input: EnvironmentInput): string | undefined {
  const { value, valueFrom } = variable
  if (value) return expand(value, before, input.services)
  if (valueFrom?.fieldRef) {
    const found = fieldValue(valueFrom.fieldRef.fieldPath, input.pod, input.facts)
    if (found === undefined) throw new Missing(`unsupported fieldPath: ${valueFrom.fieldRef.fieldPath}`)
    return found
  }
  if (valueFrom?.resourceFieldRef) {
    const found = resourceValue(valueFrom.resourceFieldRef, input.pod, input.container, input.allocatable)
    if (found.kind === 'none') throw new Missing(found.message)
    return found.value
  }
  if (valueFrom?.configMapKeyRef) {
    const { name = '', key, optional } = valueFrom.configMapKeyRef
    return keyOf('ConfigMap', configMapData(input, name, optional), name, key, optional, input)
  }
  if (valueFrom?.secretKeyRef) {
    const { name = '', key, optional } = valueFrom.secretKeyRef
    return keyOf('Secret', secretData(input, name, optional), name, key, optional, input)
  }
  return value ?? ''
}

type Data = Readonly<Record<string, string>>

function keyOf(
  kind: string,
  data: Data,
  name: string,
  key: string,
  optional: boolean | undefined,
  { pod }: EnvironmentInput,
): string | undefined {
  if (Object.hasOwn(data, key)) return data[key]
  if (optional) return undefined
  throw new Missing(`couldn't find key ${key} in ${kind} ${pod.metadata?.namespace}/${name}`)
}

function configMapData({ lookup }: EnvironmentInput, name: string, optional = false): Data {
  const found = lookup.configMap(name)
  if (!found && !optional) throw new Missing(`configmap "${name}" not found`)
  return found?.data ?? {}
}

function secretData({ lookup }: EnvironmentInput, name: string, optional = false): Data {
  const found = lookup.secret(name)
  if (!found && !optional) throw new Missing(`secret "${name}" not found`)
  return Object.fromEntries(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decodeText(value)]))
}

const decodeText = (base64: string) => new TextDecoder().decode(Uint8Array.fromBase64(base64))
