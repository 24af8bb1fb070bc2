// OpenAPI 2 ("swagger"): everything in one document, which kubectl up to 1.28 needs for apply, diff, edit and explain.

import type { Discovered } from '#api/discovery-document.ts'
import { definitionsOf, type JsonObject, kindExtension, reference } from '#api/openapi/definitions.ts'
import { answerTypes, type Operation, type Parameter, patchTypesOf, pathsOf } from '#api/openapi/operations.ts'

/** `/openapi/v2` as JSON. */
export function openApiV2Document(resources: readonly Discovered[], version: string): JsonObject {
  const paths = pathsOf(resources).map(({ path, parameters, operations }) => [
    path,
    {
      ...Object.fromEntries(operations.map((operation) => [operation.method, renderOperation(operation)])),
      parameters: parameters.map(renderParameter),
    },
  ])
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths: Object.fromEntries(paths) as JsonObject,
    definitions: definitionsOf('v2', resources),
  }
}

function renderParameter({ name, in: where, type }: Parameter): JsonObject {
  return { name, in: where, ...(where === 'path' ? { required: true } : {}), type, uniqueItems: true }
}

function renderOperation({ method, action, id, kind, body, answer, parameters, isCustom }: Operation): JsonObject {
  const bodyParameter = { name: 'body', in: 'body', required: method !== 'delete' }
  return {
    consumes: method === 'patch' ? patchTypesOf(isCustom) : ['*/*'],
    operationId: id,
    parameters: [
      ...(body === undefined ? [] : [{ ...bodyParameter, schema: reference('v2', body) }]),
      ...parameters.map(renderParameter),
    ],
    produces: answerTypes,
    responses: {
      '200': { description: 'OK', ...(answer === undefined ? {} : { schema: reference('v2', answer) }) },
      '401': { description: 'Unauthorized' },
    },
    schemes: ['https'],
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindExtension(kind),
  }
}
