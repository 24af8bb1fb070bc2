// Definitions of custom resources. What they define is served by ../custom/.

import type { Kind } from '#apiserver/kind.ts'
import { nameColumn, nameOf } from '#apiserver/kinds/cells.ts'
import { type CustomResourceDefinition, customResourceDefinitions } from '#api/custom-resource.ts'
import { checkDefinition, defaultDefinition, storedVersionsOf, warningsOf } from '#api/definition/definition.ts'

/** Keeps a definition until its resources are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

export const customResourceDefinitionKind: Kind<CustomResourceDefinition> = {
  resource: customResourceDefinitions,
  type: 'apiextensions.CustomResourceDefinition',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  columns: [nameColumn, { name: 'Created At', type: 'date' }],
  row: (definition) => [nameOf(definition), definition.metadata?.creationTimestamp ?? null],
  generation: 'spec',
  unconditionalUpdate: false,
  anyFinalizer: true,
  default: defaultDefinition,
  prepareCreate: (definition) => withStoredVersions({ ...definition, status: { conditions: [], storedVersions: [] } }),
  prepareUpdate: withStoredVersions,
  validate: checkDefinition,
  warnings: warningsOf,
  status: true,
  isHeld: ({ metadata }) => metadata?.deletionTimestamp === undefined,
  prepareDelete: (definition) => ({
    ...definition,
    metadata: {
      ...definition.metadata,
      finalizers: [...new Set([...(definition.metadata?.finalizers ?? []), cleanupFinalizer])],
    },
  }),
}

/** From now on there may be objects of the version that is stored now. */
function withStoredVersions(definition: CustomResourceDefinition): CustomResourceDefinition {
  return {
    ...definition,
    status: { ...definition.status, storedVersions: storedVersionsOf(definition) },
  } as CustomResourceDefinition
}
