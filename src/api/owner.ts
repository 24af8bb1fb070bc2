// Who owns an object: owner references and the one among them that is the controller.

import type { ApiObject, OwnerReference } from '#api/meta.ts'
import { type Resource, apiVersionOf } from '#api/resource.ts'
import type { Stored } from '#api/stored.ts'

/** The owner that manages an object, if it has one. */
export function controllerOf(object: ApiObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true)
}

export function isControlledBy(object: ApiObject, uid: string): boolean {
  return controllerOf(object)?.uid === uid
}

/** The reference by which `owner` becomes the controller of another object; it blocks foreground deletion. */
export function controllerReference(resource: Resource, owner: Stored): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  }
}
