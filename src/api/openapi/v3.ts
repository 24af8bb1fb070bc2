// OpenAPI 3: an index, and one document for each group and version.

import type { Discovered } from '#api/discovery-document.ts'
import { definitionsOf, type JsonObject, kindExtension, reference } from '#api/openapi/definitions.ts'
import { answerTypes, type Operation, type Parameter, patchTypesOf, pathsOf } from '#api/openapi/operations.ts'

/** `api/v1`, `apis/apps/v1`: the names of the documents, under /openapi/v3/. */
export function openApiV3Names(resources: readonly Discovered[]): string[] {
  return [...new Set(resources.map(nameOf))].sort()
}

const nameOf = ({ group, version }: Discovered) => (group === '' ? `api/${version}` : `apis/${group}/${version}`)

/** `/openapi/v3`. `hashOf` gives a text that changes with the document: clients keep what they have until it does. */
export function openApiV3Index(resources: readonly Discovered[], hashOf: (name: string) => string): JsonObject {
  const paths = openApiV3Names(resources).map((name) => [
    name,
    { serverRelativeURL: `/openapi/v3/${name}?hash=${hashOf(name)}` },
  ])
  return { paths: Object.fromEntries(paths) as JsonObject }
}

/** `/openapi/v3/NAME`; undefined where nothing of that name is served. */
export function openApiV3Document(
  resources: readonly Discovered[],
  name: string,
  version: string,
): JsonObject | undefined {
  const own = resources.filter((resource) => nameOf(resource) === name)
  if (own.length === 0) return undefined
  const paths = pathsOf(own).map(({ path, parameters, operations }) => [
    path,
    {
      ...Object.fromEntries(operations.map((operation) => [operation.method, renderOperation(operation)])),
      parameters: parameters.map(renderParameter),
    },
  ])
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths: Object.fromEntries(paths) as JsonObject,
    components: { schemas: definitionsOf('v3', own) },
  }
}

function renderParameter({ name, in: where, type }: Parameter): JsonObject {
  return { name, in: where, ...(where === 'path' ? { required: true } : {}), schema: { type, uniqueItems: true } }
}

function renderOperation(operation: Operation): JsonObject {
  const { method, action, id, kind, body, answer, parameters } = operation
  const bodyTypes = method === 'patch' ? patchTypesOf(operation.isCustom) : ['*/*']
  const ok = { description: 'OK', ...(answer === undefined ? {} : { content: contentOf(answerTypes, answer) }) }
  return {
    operationId: id,
    parameters: parameters.map(renderParameter),
    ...(body === undefined
      ? {}
      : { requestBody: { content: contentOf(bodyTypes, body), ...(method === 'delete' ? {} : { required: true }) } }),
    responses: { '200': ok, '401': { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindExtension(kind),
  }
}

function contentOf(mediaTypes: readonly string[], definition: string): JsonObject {
  return Object.fromEntries(mediaTypes.map((type) => [type, { schema: reference('v3', definition) }]))
}
