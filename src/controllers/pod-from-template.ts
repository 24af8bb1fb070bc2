// The pod that a workload creates from its template.

import { type Pod, type PodTemplateSpec } from '#api/core.ts'
import { controllerReference } from '#api/owner.ts'
import type { Resource } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'

/** A pod of `template` owned by `owner`; its name is left to the server, or is `name`. */
export function podFromTemplate(
  resource: Resource,
  owner: Stored,
  template: PodTemplateSpec | undefined,
  name?: string,
): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      namespace: owner.metadata.namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(resource, owner)],
    },
    spec: template?.spec ?? { containers: [] },
  }
}
