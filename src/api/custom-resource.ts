// Definitions of custom resources.

import { type Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'

export interface CustomResourceDefinition extends Typed<'apiextensions', 'CustomResourceDefinition'> {}
export interface CustomResourceDefinitionSpec extends Typed<'apiextensions', 'CustomResourceDefinitionSpec'> {}
export interface CustomResourceDefinitionVersion extends Typed<'apiextensions', 'CustomResourceDefinitionVersion'> {}
export interface CustomResourceDefinitionNames extends Typed<'apiextensions', 'CustomResourceDefinitionNames'> {}
export interface CustomResourceDefinitionCondition extends Typed<
  'apiextensions',
  'CustomResourceDefinitionCondition'
> {}

export const customResourceDefinitions: Resource<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}
